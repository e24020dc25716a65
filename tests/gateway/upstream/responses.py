"""Responses as the transport returns them."""

from gateway.transport.raw_response import RawResponse


def json_response(body: bytes) -> RawResponse:
    """Make a response with this JSON body."""
    return RawResponse(200, {b"content-type": b"application/json"}, body)
