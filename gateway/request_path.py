"""The path of a request: decodes it once, and refuses what a proxy in front may read otherwise.

A rule of a proxy for a path, such as `location = /readyz { deny all; }`, must hold for every
spelling that the gateway takes for that path. So the gateway refuses a path that it would have to
normalize, instead of guessing what the proxy made of it (RFC 3986, section 6.2.2). The reasons and
the whole policy are in `docs/decisions/request-paths.md`.
"""

import re
from urllib.parse import quote, unquote_to_bytes

_ESCAPED_SLASH = re.compile(rb"%2[Ff]")
_LIKE_AN_ESCAPE = re.compile(rb"%25(?=[0-9A-Fa-f]{2})")
_KEPT_ESCAPE = re.compile("%(2[Ff]|25)")
_SLASH_AFTER_NOTHING = re.compile("(?:^|(?<=/))/")
_MALFORMED_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_ESCAPED_LETTER_OR_DIGIT = re.compile(rb"%(?:3[0-9]|[46][1-9A-Fa-f]|[57][0-9Aa])")
_CONTROL_CHARACTER = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_UNESCAPED = "!$&'()*+,;=:@"  # besides letters, digits and -._~: RFC 3986, section 3.3, pchar
_DOT_SEGMENT = re.compile(r"(?:^|[/\\]|%2F)\.\.?(?:[/\\]|%2F|\Z)")


class InvalidPath(Exception):
    """A path that is refused; the message completes the sentence "The path ..."."""


def is_plain(raw_path: bytes) -> bool:
    """Whether a path reads the same in every program: no escape, dot segment or empty segment.

    The server has checked that it has no control character. This runs for each request, and a
    regular expression would take three times as long.
    """
    return not (b"%" in raw_path or b"/." in raw_path or b"//" in raw_path or b"\\" in raw_path)


def decode_path(raw_path: bytes) -> str:
    """Decode the percent-escapes of a path, except `%2F`.

    So no router takes an escaped slash for the end of a segment, and the URL that Starlette builds
    from the path has it. Text that would look like an escape after decoding keeps its `%25`:
    a browser would read `%2e%2e` in that URL as `..`. `decode_parameter` gives every value back
    as the client meant it.

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
    kept = _ESCAPED_SLASH.sub(b"%252F", _LIKE_AN_ESCAPE.sub(b"%2525", raw_path))
    try:
        path = unquote_to_bytes(kept).decode()
    except UnicodeDecodeError:
        raise InvalidPath("is not UTF-8") from None
    if _CONTROL_CHARACTER.search(path):
        raise InvalidPath("has a control character")
    if _DOT_SEGMENT.search(path):
        raise InvalidPath('has a segment "." or ".."')
    return path


def decode_parameter(text: str) -> str:
    """Decode the escapes that `decode_path` has kept in a parameter."""
    if "%" not in text:
        return text
    return _KEPT_ESCAPE.sub(lambda kept: "%" if kept[1] == "25" else "/", text)


def encode_segment(value: str) -> str:
    """Escape the value of a parameter that is one segment of a path."""
    return quote(value, safe=_UNESCAPED)


def encode_segments(value: str) -> str:
    """Escape the value of a parameter that may have several segments.

    A slash stays as it is, unless a segment beside it would be empty: such a path is refused.
    """
    parts = _SLASH_AFTER_NOTHING.split(value)
    return "%2F".join(quote(part, safe=f"/{_UNESCAPED}") for part in parts)
