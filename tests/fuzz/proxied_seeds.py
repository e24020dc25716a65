"""Inputs and words with which the fuzzer of proxied requests begins."""

from collections.abc import Iterator

from tests.fuzz.proxied_requests import RESPONSE_FOLLOWS, TOKEN
from tests.gateway.proxy.attacks import build_attacks
from tests.gateway.proxy.hostile_responses import MALFORMED, PASSED
from tests.gateway.proxy.identity_spellings import SPELLINGS

_MAX_BYTES = 4_096

PROXIED_DICTIONARY = (
    "/public/", "/headers/", "/token/", "/users/42/", "/slashes/", "/parameters/", "/host/",
    "%2f", "%2e", "%5c", "%00", "%0d%0a", "%25", "%252e", "%c3%a9", "..", "//", ";", ":", " ",
    "\\x0d\\x0a", "\\x09", "\\x00", "Connection: ", "Content-Length: ", "Host: ", "Via: ",
    "Transfer-Encoding: chunked", "X-User-Id: mallory", "x_user_id: mallory", "X-Forwarded-For: ",
    "Forwarded: ", "Max-Forwards: ", "Cookie: ", "Expect: 100-continue", "Upgrade: ", "OPTIONS ",
    "POST ", "0\\x0d\\x0a\\x0d\\x0a", "Location: ", "Set-Cookie: ", "Link: <", "\\xfe\\xfe",
    "Cache-Control: ", "HTTP/1.1 200 OK", "HTTP/1.0", "Refresh: ", "Path=/", "http://", "TOKEN",
)  # fmt: skip


def iterate_proxied_seeds() -> Iterator[bytes]:
    """Yield requests, some with the response of the service."""
    for attack in build_attacks().values():
        if len(attack) <= _MAX_BYTES:
            yield attack
    for lines in SPELLINGS.values():
        for route in (b"headers", b"users/42"):
            yield _build_request(b"POST /%b/a" % route, b"%b\r\n" % lines)
    for response in (MALFORMED | PASSED).values():
        if len(response) <= _MAX_BYTES // 2:
            yield _build_request(b"GET /cookies/a", b"") + RESPONSE_FOLLOWS + response


def _build_request(start: bytes, lines: bytes) -> bytes:
    fields = b"Host: x\r\nAuthorization: Bearer %b\r\n%b" % (TOKEN, lines)
    return b"%b HTTP/1.1\r\n%b\r\n" % (start, fields)
