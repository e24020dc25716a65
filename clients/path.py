"""Request paths from templates such as `/users/{user_id}`: a value can never leave its segment."""

import re
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import quote

_PLACEHOLDER = re.compile(r"\{([a-z_][a-z0-9_]*)\}")
_LITERAL = re.compile(r"[A-Za-z0-9\-._~!$&'()*+,;=:@]*")


def fill(template: str, values: Mapping[str, str | int]) -> str:
    """The path with every placeholder replaced by its value, percent-quoted whole (RFC 3986, 3.3).

    Raises:
        ValueError: the template is not a path, its placeholders and the values differ, or a
            segment would come out empty, "." or "..".
    """
    segments, names = _split(template)
    if names != values.keys():
        raise ValueError(f"{template}: its values are {sorted(names)}, not {sorted(values)}")
    quoted = {name: quote(str(value), safe="") for name, value in values.items()}
    if "" in quoted.values():
        raise ValueError(f"{template}: a value is empty")
    return "".join(f"/{_filled(template, segment, quoted)}" for segment in segments)


@lru_cache(maxsize=512)
def _split(template: str) -> tuple[tuple[str, ...], frozenset[str]]:
    start, *segments = template.split("/")
    literals = [_PLACEHOLDER.sub("", segment) for segment in segments]
    if start or not segments or not all(map(_LITERAL.fullmatch, literals)):
        raise ValueError(f"{template!r} is not a path: write one such as /users/{{user_id}}")
    return tuple(segments), frozenset(_PLACEHOLDER.findall(template))


def _filled(template: str, segment: str, quoted: Mapping[str, str]) -> str:
    filled = _PLACEHOLDER.sub(lambda found: quoted[found[1]], segment)
    if filled in {".", ".."} or (not filled and template != "/"):
        raise ValueError(f"{template}: a segment is empty, '.' or '..'")
    return filled
