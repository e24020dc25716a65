"""Words for the log about a token that is refused."""

import json
import re

from pydantic import JsonValue

_MAX_SHOWN_LENGTH = 80

# A long text that is neither a URL, a UUID nor a media type may be a secret in the wrong place, as
# an API key as the `kid` of a token. Its first characters are enough to find a key by.
_UUID = r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
_OPAQUE = re.compile(rf'"(?!{_UUID}"|application/)([\w+/=-]{{8}})[\w+/=-]{{24,}}"', re.ASCII)


def show(value: JsonValue) -> str:
    """Return a value from a token as JSON in ASCII, of bounded length.

    Of a string that may be a secret it has the first eight characters. Use it only for claims and
    header parameters that identify no user.
    """
    text = _OPAQUE.sub(r'"\1..."', json.dumps(value))
    return text if len(text) <= _MAX_SHOWN_LENGTH else f"{text[:_MAX_SHOWN_LENGTH]}..."


def show_all(values: list[str]) -> str:
    """Return a list of names as JSON strings; at most five of them."""
    shown = ", ".join(map(show, values[:5]))
    return f"{shown}, ..." if len(values) > 5 else shown or "none"
