"""Words for the log about a token that is refused."""

import json

from pydantic import JsonValue

_MAX_SHOWN_LENGTH = 80


def show(value: JsonValue) -> str:
    """Return a value from a token as JSON in ASCII, of bounded length.

    Use it only for claims and header parameters that identify no user.
    """
    text = json.dumps(value)
    return text if len(text) <= _MAX_SHOWN_LENGTH else f"{text[:_MAX_SHOWN_LENGTH]}..."


def show_all(values: list[str]) -> str:
    """Return a list of names as JSON strings; at most five of them."""
    shown = ", ".join(map(show, values[:5]))
    return f"{shown}, ..." if len(values) > 5 else shown or "none"
