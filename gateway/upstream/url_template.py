"""Request paths from templates such as `/users/{user_id}`.

Values are percent-encoded to keep each value in its segment (no path traversal).
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import quote

from gateway.upstream.errors import InvalidArgument
from gateway.upstream.lone_surrogates import NO_LONE_SURROGATES

_PLACEHOLDER = re.compile(r"\{([a-z_][a-z0-9_]*)\}")
_LITERAL = re.compile(r"[A-Za-z0-9\-._~!$&'()*+,;=:@]*")
_DOTS = frozenset({".", ".."})


def expand(template: str, values: Mapping[str, str | int]) -> str:
    """Replace every placeholder with its percent-encoded value (RFC 3986, 3.3).

    Raises:
        InvalidArgument: a value cannot be encoded, or its segment would be empty, "." or "..".
        ValueError: the template is not a path, or its placeholders and the values differ.
    """
    if not values:
        return _expand_constant(template)
    names = _names(template)
    if names != values.keys():
        raise ValueError(
            f"{template}: its placeholders are {sorted(names)}, but the values are {sorted(values)}"
        )
    # `_names` has validated the template: as a format string it contains only plain names.
    quoted = {
        name: value if type(value) is int else _quote_value(name, value)
        for name, value in values.items()
    }
    path = template.format_map(quoted)
    if (index := _find_dot_segment(path)) is not None:
        (name, *_) = _PLACEHOLDER.findall(template.split("/")[index]) or ("",)
        raise InvalidArgument(name, "a segment of a path must not be '.' or '..'")
    return path


@lru_cache(maxsize=512)
def _expand_constant(template: str) -> str:
    if names := _names(template):
        raise ValueError(
            f"{template}: its placeholders are {sorted(names)}, but there are no values"
        )
    return template


def _find_dot_segment(path: str) -> int | None:
    """Return the index of the first segment that is "." or ".."; None without one."""
    if "/." not in path:
        return None
    segments = path.split("/")
    return next((i for i, segment in enumerate(segments) if segment in _DOTS), None)


@lru_cache(maxsize=512)
def _names(template: str) -> frozenset[str]:
    start, *segments = template.split("/")
    literals = [_PLACEHOLDER.sub("", segment) for segment in segments]
    if start or not segments or not all(map(_LITERAL.fullmatch, literals)):
        raise ValueError(f"{template!r} is not a path; write one such as /users/{{user_id}}")
    if "" in segments and template != "/":
        raise ValueError(f"{template}: a segment is empty")
    if not _DOTS.isdisjoint(segments):
        raise ValueError(f"{template}: a segment is '.' or '..'")
    return frozenset(_PLACEHOLDER.findall(template))


def _quote_value(name: str, value: str | int) -> str:
    text = str(value)
    if not text:
        raise InvalidArgument(name, "a segment of a path must not be empty")
    try:
        return text if text.isascii() and text.isalnum() else quote(text, safe="")
    except UnicodeEncodeError:
        raise InvalidArgument(name, NO_LONE_SURROGATES) from None
