"""The head of a proxied request, and its fields that only the sender sets: how it is framed."""

from gateway.http1_grammar import Fields
from gateway.proxy.upstream.proxy_upstream import ServiceRequest

_WITHOUT_LENGTH = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})
"""Methods without an expected body: a request without one has no Content-Length (RFC 9110, 8.6)."""


def build_framing(request: ServiceRequest) -> Fields:
    """Build the fields: a length stays a length, and chunked stays chunked."""
    upload = request.upload
    if upload is None:
        framing = [] if request.method in _WITHOUT_LENGTH else [(b"content-length", b"0")]
    elif upload.length is None:
        framing = [(b"transfer-encoding", b"chunked")]
    else:
        framing = [(b"content-length", b"%d" % upload.length)]
    if upload is not None and upload.expects_continue:
        framing.append((b"expect", b"100-continue"))
    if request.accepts_trailers:
        framing += [(b"te", b"trailers"), (b"connection", b"te")]
    return framing


def serialize_request_head(method: str, target: bytes, fields: Fields) -> bytes:
    """Serialize a head; its fields have been checked when they were received or declared."""
    lines = [b"%b %b HTTP/1.1" % (method.encode(), target)]
    lines += [b"%b: %b" % field for field in fields]
    return b"\r\n".join(lines) + b"\r\n\r\n"
