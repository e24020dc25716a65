"""A strict parser of structured-field lists (RFC 9651), for the part that the headers use."""

import re

_KEY = re.compile(r"[a-z*][a-z0-9_.*-]*")
_INTEGER = re.compile(r"-?\d{1,15}(?![\d.])")
_STRING = re.compile(r'"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"')

Items = list[tuple[str, dict[str, int]]]


def parse(text: str) -> Items:
    """Return the strings of the list, each with its integer parameters; else raise ValueError."""
    items: Items = []
    position = 0
    while True:
        name, position = _read(_STRING, text, position)
        parameters: dict[str, int] = {}
        while text[position : position + 1] == ";":
            label, position = _read(_KEY, text, position + 1)
            if text[position : position + 1] != "=":
                raise ValueError(text)
            number, position = _read(_INTEGER, text, position + 1)
            parameters[label] = int(number)
        items.append((name[1:-1], parameters))
        if position == len(text):
            return items
        comma = re.compile(r"[ \t]*,[ \t]*").match(text, position)
        if comma is None or comma.end() == len(text):
            raise ValueError(text)
        position = comma.end()


def _read(pattern: re.Pattern[str], text: str, position: int) -> tuple[str, int]:
    match = pattern.match(text, position)
    if match is None:
        raise ValueError(f"{text!r} at {position}")
    return match[0], match.end()
