"""The media type and the charset of JSON bodies.

JSON is UTF-8 (RFC 8259, 8.1). Older services send other charsets, declared or not, or begin with a
byte order mark.
"""

import re
from functools import lru_cache
from json import detect_encoding

from gateway.upstream.content_decoding import NotDecodable

_MEDIA_TYPE = re.compile(r"([!#$%&'*+.^_`|~0-9a-z-]+/[!#$%&'*+.^_`|~0-9a-z-]+)[ \t]*(?:;|$)")
_CHARSET = re.compile(r";[ \t]*charset[ \t]*=[ \t]*(?:\"([^\"]*)\"|'([^']*)'|([^ \t;,]*))")
_MAX_SHOWN = 60

# The codec of Python for a charset by its name in lower case; None for UTF-8, which needs no
# conversion. Not every codec of Python: some of them expand their input, and "utf-7" hides
# characters.
_CODECS = {
    "": None,
    "utf-8": None,
    "utf8": None,
    "us-ascii": "ascii",
    "ascii": "ascii",
    "utf-16": "utf-16",
    "utf-16le": "utf-16-le",
    "utf-16be": "utf-16-be",
    "utf-32": "utf-32",
    "iso-8859-1": "latin-1",
    "iso8859-1": "latin-1",
    "iso_8859-1": "latin-1",
    "latin1": "latin-1",
    "latin-1": "latin-1",
    "iso-8859-15": "iso-8859-15",
    "windows-1252": "cp1252",
    "cp1252": "cp1252",
}


@lru_cache(maxsize=256)
def parse_charset(content_type: bytes) -> str | None:
    """Return the codec that a content type declares; None if it declares UTF-8 or no charset.

    A missing content type counts as JSON: the body is validated in any case (RFC 9110, 8.3). A
    repeated field counts once if its values have the same media type.

    Raises:
        NotDecodable: the media type is not JSON, or the charset is unknown.
    """
    text = content_type.decode("latin-1").strip().lower()
    if not text:
        return None
    found = _CHARSET.search(text)
    parts = [text] if found else text.split(",")
    if not all(_is_json(part.strip()) for part in parts):
        raise NotDecodable(f"the content type is {text[:_MAX_SHOWN]!a}, not JSON")
    charset = "" if found is None else next(filter(None, found.groups()), "").strip()
    if charset not in _CODECS:
        raise NotDecodable(f"the charset {charset[:_MAX_SHOWN]!a} of the body is unknown")
    return _CODECS[charset]


def _is_json(text: str) -> bool:
    """Whether a media type is one of JSON (WHATWG, MIME Sniffing, 4.6)."""
    match = _MEDIA_TYPE.match(text)
    return match is not None and (
        match[1] in {"application/json", "text/json"} or match[1].endswith("+json")
    )


def to_utf8(body: bytes, codec: str) -> bytes:
    """Return a body in UTF-8 without a byte order mark.

    Raises:
        NotDecodable: the body is not in the charset of `codec`.
    """
    if codec == "utf-16" and body[:2] not in {b"\xff\xfe", b"\xfe\xff"}:
        codec = detect_encoding(body)  # without a mark the order of the bytes must be guessed
    try:
        return body.decode(codec).encode()
    except UnicodeError:
        raise NotDecodable(f"the body is not {codec.removesuffix('-sig')}") from None
