"""Strict JSON parser for untrusted input (RFC 8725, section 2.4; RFC 8259, section 4).

It refuses every document that two parsers could read differently: duplicate member names, numbers
out of range, `NaN`, lone surrogates. It bounds the nesting depth and the length of integers.
"""

import json
import math
import re

from pydantic import JsonValue

MAX_DEPTH = 32
_MAX_INTEGER_LENGTH = 20

# The groups are atomic and possessive: no backtracking, so an unterminated string costs one pass.
_STRING_OR_BRACKET = re.compile(r'"(?>[^"\\]+|\\.)*+"?|[\[\]{}]', re.DOTALL)


def parse_object(raw: bytes, *, max_depth: int = MAX_DEPTH) -> dict[str, JsonValue]:
    """Parse a JSON object.

    Raises:
        ValueError: the input is not JSON, not an object, or nested deeper than `max_depth`; it
            has a duplicate member name, a number that is not finite, an integer of more than
            20 characters, or a lone surrogate.
    """
    text = raw.decode("utf-8")
    # `json` recurses, so only shallow text may reach it. The number of brackets is cheap to
    # count and never less than the depth: nearly every document skips the exact measure.
    if text.count("[") + text.count("{") > max_depth and _is_nested_deeper(text, max_depth):
        raise ValueError(f"nested too deep: more than {max_depth} levels")
    value = _DECODER.decode(text)
    if not isinstance(value, dict):
        # Not a TypeError: callers catch one error for all unreadable input.
        raise ValueError("not a JSON object")  # noqa: TRY004
    if "\\u" in text:
        _reject_lone_surrogates(value)
    return value


def _is_nested_deeper(text: str, max_depth: int) -> bool:
    depth = 0
    for token in _STRING_OR_BRACKET.finditer(text):
        if token[0] in "[{":
            depth += 1
            if depth > max_depth:
                return True
        elif token[0] in "]}":
            depth -= 1
    return False


def _reject_lone_surrogates(value: JsonValue) -> None:
    """Encode the value as UTF-8, which raises a ValueError for a lone surrogate."""
    json.dumps(value, ensure_ascii=False).encode("utf-8")


def _build_object(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate member name")
    return members


def _parse_integer(digits: str) -> int:
    if len(digits) > _MAX_INTEGER_LENGTH:
        raise ValueError(f"integer of more than {_MAX_INTEGER_LENGTH} characters")
    return int(digits)


def _parse_float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("number out of range")
    return number


def _reject_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_build_object,
    parse_int=_parse_integer,
    parse_float=_parse_float,
    parse_constant=_reject_constant,
)
