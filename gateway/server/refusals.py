"""Why the server refuses a request before the app sees it: the status, and the words for it."""

import re
from dataclasses import dataclass

from httptools import HttpParserError, HttpParserInvalidMethodError

from gateway.http1_grammar import MAX_FIELDS, MAX_HEAD_BYTES, MAX_LENGTH_DIGITS
from gateway.server.request_target import MalformedRequest
from gateway.settings.errors import escape


@dataclass(frozen=True, slots=True)
class Refusal:
    """A status and its detail for the client; `hint` is for the operator, in the log alone."""

    status: int
    detail: str
    hint: str = ""


class RequestRefused(Exception):
    """A callback of the parser refuses the request."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.detail)
        self.refusal = refusal


MALFORMED = Refusal(400, "Invalid HTTP request received.")
URI_TOO_LONG = Refusal(414, f"The request target is longer than {MAX_HEAD_BYTES} bytes.")
HEAD_TOO_LARGE = Refusal(431, f"The request head is larger than {MAX_HEAD_BYTES} bytes.")
TOO_MANY_FIELDS = Refusal(431, f"The request has more than {MAX_FIELDS} header fields.")
FRAMING_TOO_LARGE = Refusal(
    400, "The framing of the chunks, such as their extensions, is too long for their data."
)
UNKNOWN_EXPECTATION = Refusal(417, "The only supported expectation is 100-continue.")
UNKNOWN_CODING = Refusal(400, "The only supported Transfer-Encoding is chunked.")
LENGTH_TOO_LONG = Refusal(400, f"Content-Length has more than {MAX_LENGTH_DIGITS} digits.")
NOT_HTTP = Refusal(400, "The protocol of the request is not HTTP.")
HOST_COUNT = Refusal(400, "A request must have exactly one Host field.")
UNKNOWN_VERSION = Refusal(505, "The supported versions of HTTP are 1.1 and 1.0.")
HEAD_TIMEOUT = Refusal(
    408,
    "The request head did not arrive in time.",
    "the head did not arrive within server.head_seconds",
)
BODY_TIMEOUT = Refusal(
    408,
    "The request body arrives too slowly.",
    "too little of the body arrived within server.stall_seconds",
)

MAX_HINT = 128  # characters of the parser

_UNKNOWN_METHOD = Refusal(501, "The request method is not known to this server.")

_OTHER_PROTOCOLS = (
    (
        re.compile(rb"\x16\x03"),
        Refusal(
            400,
            "This port serves plain HTTP, not HTTPS.",
            "a TLS handshake on the plain port: terminate TLS in a proxy",
        ),
    ),
    (
        re.compile(rb"PROXY |\r\n\r\n\0\r\nQUIT\n"),
        Refusal(
            400,
            "This port does not support the PROXY protocol.",
            "a PROXY protocol header: turn it off in the balancer, which sets X-Forwarded-For",
        ),
    ),
    (
        re.compile(rb"PRI \* HTTP/2\.0"),
        Refusal(
            505,
            "This port does not support HTTP/2 with prior knowledge; use HTTP/1.1.",
            "an HTTP/2 preface: let the proxy use HTTP/1.1 towards the gateway",
        ),
    ),
)

_VERSION = re.compile(rb"(?:\r\n)*[A-Z]+ [!-~]+ HTTP/(?!1\.[01]\r?\n)[0-9](?:\.[0-9])?\r?\n")
_METHOD = re.compile(rb"(?:\r\n)*[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64} [!-~]+ HTTP/1\.[01]\r\n")


def find_refusal(error: HttpParserError, request_line: bytes) -> Refusal:
    """Find out why the parser has refused a request.

    `request_line` is the beginning of the request, or empty if it arrived in an earlier piece.
    """
    if isinstance(cause := error.__context__, RequestRefused):
        return cause.refusal
    if isinstance(cause, MalformedRequest):
        return Refusal(400, str(cause)) if str(cause) else MALFORMED
    for pattern, refusal in _OTHER_PROTOCOLS:
        if pattern.match(request_line):
            return refusal
    if _VERSION.match(request_line):
        return UNKNOWN_VERSION
    if isinstance(error, HttpParserInvalidMethodError) and _METHOD.match(request_line):
        return _UNKNOWN_METHOD
    return Refusal(MALFORMED.status, MALFORMED.detail, _describe(error))


def _describe(error: HttpParserError) -> str:
    """Return the words of the parser, such as `Duplicate Content-Length`; bounded and escaped."""
    text = str(error)[:MAX_HINT]
    return text if text.isprintable() else escape(text)
