"""The path of a request: decodes it once, and refuses what a proxy in front may read otherwise.

A rule of a proxy for a path, such as `location = /readyz { deny all; }`, must hold for every
spelling that the gateway takes for that path. So the gateway refuses a path that it would have to
normalize, instead of guessing what the proxy made of it (RFC 3986, section 6.2.2). The reasons and
the whole policy are in `docs/decisions/request-paths.md`.
"""

import re
from urllib.parse import unquote_to_bytes

ESCAPED_SLASH = "\x1f"
"""Stands for `%2F` in a decoded path, so that no router takes it for the end of a segment.

No other part of a path can be this character: a path with a control character is refused.
"""

_ESCAPED_SLASH_SPELLING = re.compile(rb"%2[Ff]")
_MALFORMED_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_ESCAPED_LETTER_OR_DIGIT = re.compile(rb"%(?:3[0-9]|[46][1-9A-Fa-f]|[57][0-9Aa])")
_CONTROL_CHARACTER = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_DOT_SEGMENT = re.compile(rf"(?:^|[/\\{ESCAPED_SLASH}])\.\.?(?:[/\\{ESCAPED_SLASH}]|\Z)")


class InvalidPath(Exception):
    """A path that is refused; the message completes the sentence "The path ..."."""


def is_plain(raw_path: bytes) -> bool:
    """Whether a path reads the same in every program: no escape, dot segment or empty segment.

    The server has checked that it has no control character. This runs for each request, and a
    regular expression would take three times as long.
    """
    return not (b"%" in raw_path or b"/." in raw_path or b"//" in raw_path or b"\\" in raw_path)


def decode_path(raw_path: bytes) -> str:
    """Decode the percent-escapes of a path; `%2F` becomes ESCAPED_SLASH.

    Raises:
        InvalidPath: programs may differ in what this path means.
    """
    if b"\\" in raw_path:
        raise InvalidPath("has a backslash, which must be escaped as %5C")
    if b"//" in raw_path:
        raise InvalidPath("has an empty segment (//)")
    if _MALFORMED_ESCAPE.search(raw_path):
        raise InvalidPath("has a % that is not followed by two hexadecimal digits")
    if _ESCAPED_LETTER_OR_DIGIT.search(raw_path):
        raise InvalidPath("has an escaped letter or digit, which must stand as it is")
    pieces = [_decode_piece(piece) for piece in _ESCAPED_SLASH_SPELLING.split(raw_path)]
    path = ESCAPED_SLASH.join(pieces)
    if _DOT_SEGMENT.search(path):
        raise InvalidPath("has a segment . or ..")
    return path


def restore_slashes(text: str) -> str:
    """Return a parameter of a path as the client meant it, with its escaped slashes."""
    return text.replace(ESCAPED_SLASH, "/")


def _decode_piece(piece: bytes) -> str:
    try:
        text = unquote_to_bytes(piece).decode()
    except UnicodeDecodeError:
        raise InvalidPath("is not UTF-8") from None
    if _CONTROL_CHARACTER.search(text):
        raise InvalidPath("has a control character")
    return text
