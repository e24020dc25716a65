"""What is known to break an invariant, so that the fuzzer goes on to what is not.

Each has a test that fails once it is mended; then it goes from here.
"""

import re
from dataclasses import dataclass

from tests.fuzz.reference import read


@dataclass(frozen=True, slots=True)
class Known:
    """A bug: which bytes it comes with, and the least of them that show it."""

    name: str
    pattern: re.Pattern[bytes]
    example: bytes
    bodiless: bool = False

    def __contains__(self, data: bytes) -> bool:
        """If it may come with `data`."""
        return self.pattern.search(data) is not None


_OK = b"HTTP/1.1 200 OK\r\n"
_EMPTY = _OK + b"Content-Length: 0\r\n\r\n"

KNOWN = (
    Known(
        "the body of an undefined interim answer (104 to 199) becomes the answer's",
        re.compile(
            rb"1(?:0[4-9]|[1-9][0-9])(?: [^\r\n]*)?\r\n(?:[^\r\n]+\r\n)*"
            rb"(?:content-length|transfer-encoding):",
            re.IGNORECASE,
        ),
        b"HTTP/1.1 199 Hints\r\nContent-Length: 4\r\n\r\nevil" + _EMPTY,
    ),
    Known(
        "`chunked` with a tab behind it is taken for chunks, but not read as such",
        re.compile(rb"transfer-encoding:[^\r\n]*\t", re.IGNORECASE),
        _OK + b"Transfer-Encoding: chunked\t\r\n\r\n1\r\na\r\n0\r\n\r\n",
    ),
    Known(
        "a chunk's size behind the answer to a HEAD is not noticed",
        re.compile(rb"chunked", re.IGNORECASE),
        _OK + b"Transfer-Encoding: chunked\r\n\r\n5",
        bodiless=True,
    ),
    Known(
        "empty lines before an answer are skipped",
        re.compile(rb"\A[\r\n]|\r\n\r\n[\r\n]+(?:HTTP|RTSP|ICE)"),
        b"\r\n" + _EMPTY,
    ),
    Known(
        "a chunk's extension may lack its name",
        re.compile(rb";="),
        _OK + b"Transfer-Encoding: chunked\r\n\r\n1;=b\r\na\r\n0\r\n\r\n",
    ),
    Known(
        "`Connection` or `Transfer-Encoding` in a trailer has the next answer refused",
        re.compile(
            rb"\r\n0+[^\r\n]*\r\n(?:[^\r\n]+\r\n)*(?:connection|transfer-encoding):", re.IGNORECASE
        ),
        _OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\nConnection: close\r\n\r\n",
    ),
    Known(
        "RTSP and ICE are taken for HTTP",
        re.compile(rb"(?:RTSP|ICE)/"),
        _EMPTY.replace(b"HTTP", b"RTSP"),
    ),
    Known(
        "the reason phrase may hold any byte",
        re.compile(rb"[0-9]{3} [^\r\n]*[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"),
        _EMPTY.replace(b"OK", b"\0"),
    ),
)


EMPTY_LINES_BEHIND = _EMPTY + b"\r\n"
"""Not noticed, if they come with the answer; no pattern tells what is behind one."""


def known(data: bytes, *, bodiless: bool) -> bool:
    """If a known bug may come with `data`."""
    rest = read(data, bodiless=bodiless).rest
    behind = bool(rest) and not rest.strip(b"\r\n")
    return behind or any(data in bug for bug in KNOWN if bodiless or not bug.bodiless)
