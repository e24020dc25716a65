"""JSON from strangers: one meaning or none (RFC 8725, section 2.4; RFC 8259, section 4)."""

import json
import math
import re

from pydantic import JsonValue

MAX_DEPTH = 32
_MAX_INTEGER_DIGITS = 20

# Strings are taken whole and never given back, so a string without an end costs one pass.
_STRING_OR_BRACKET = re.compile(r'"(?>[^"\\]+|\\.)*+"?|[\[\]{}]', re.DOTALL)


def parse_object(raw: bytes, *, max_depth: int = MAX_DEPTH) -> dict[str, JsonValue]:
    """Read a JSON object.

    Raises:
        ValueError: not JSON, not an object, nested too deep, a member named twice, a number
            that is not finite or longer than any claim needs, or a lone surrogate.
    """
    text = raw.decode("utf-8")
    # Counting is cheap and never too low, so nearly every document skips the exact measure.
    # The parser recurses; only shallow text may reach it.
    if text.count("[") + text.count("{") > max_depth and _is_deeper(text, max_depth):
        raise ValueError("nested too deep")
    value = _DECODER.decode(text)
    if not isinstance(value, dict):
        raise ValueError("not an object")  # noqa: TRY004 - one error for everything unreadable
    if "\\u" in text:
        _refuse_lone_surrogates(value)
    return value


def _is_deeper(text: str, limit: int) -> bool:
    depth = 0
    for token in _STRING_OR_BRACKET.finditer(text):
        if token[0] in "[{":
            depth += 1
            if depth > limit:
                return True
        elif token[0] in "]}":
            depth -= 1
    return False


def _refuse_lone_surrogates(value: JsonValue) -> None:
    json.dumps(value, ensure_ascii=False).encode("utf-8")


def _members(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is named twice")
    return members


def _integer(digits: str) -> int:
    if len(digits) > _MAX_INTEGER_DIGITS:
        raise ValueError("integer too long")
    return int(digits)


def _real(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("number out of range")
    return number


def _constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_members,
    parse_int=_integer,
    parse_float=_real,
    parse_constant=_constant,
)
