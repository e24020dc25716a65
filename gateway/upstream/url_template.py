"""Request paths from templates such as `/users/{user_id}`: a value can never leave its segment."""

import re
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import quote

_PLACEHOLDER = re.compile(r"\{([a-z_][a-z0-9_]*)\}")
_LITERAL = re.compile(r"[A-Za-z0-9\-._~!$&'()*+,;=:@]*")
_DOTS = frozenset({".", ".."})


def expand(template: str, values: Mapping[str, str | int]) -> str:
    """The path with every placeholder replaced by its value, percent-quoted whole (RFC 3986, 3.3).

    Raises:
        ValueError: the template is not a path, its placeholders and the values differ, or a
            segment would come out empty, "." or "..".
    """
    if not values:
        return _constant(template)
    names = _names(template)
    if names != values.keys():
        raise ValueError(f"{template}: its values are {sorted(names)}, not {sorted(values)}")
    # A template that was found to be a path is a format string with nothing but names in it.
    quoted = {
        name: value if type(value) is int else _quoted(template, value)
        for name, value in values.items()
    }
    return _without_dots(template, template.format_map(quoted))


@lru_cache(maxsize=512)
def _constant(template: str) -> str:
    if names := _names(template):
        raise ValueError(f"{template}: its values are {sorted(names)}, not []")
    return _without_dots(template, template)


def _without_dots(template: str, path: str) -> str:
    if "/." in path and not _DOTS.isdisjoint(path.split("/")):
        raise ValueError(f"{template}: a segment is '.' or '..'")
    return path


@lru_cache(maxsize=512)
def _names(template: str) -> frozenset[str]:
    start, *segments = template.split("/")
    literals = [_PLACEHOLDER.sub("", segment) for segment in segments]
    if start or not segments or not all(map(_LITERAL.fullmatch, literals)):
        raise ValueError(f"{template!r} is not a path: write one such as /users/{{user_id}}")
    if "" in segments and template != "/":
        raise ValueError(f"{template}: a segment is empty")
    return frozenset(_PLACEHOLDER.findall(template))


def _quoted(template: str, value: str | int) -> str:
    text = str(value)
    if not text:
        raise ValueError(f"{template}: a value is empty")
    return text if text.isascii() and text.isalnum() else quote(text, safe="")
