"""Responses as the transport hands them over."""

from gateway.transport.raw_response import RawResponse


def json_response(body: bytes) -> RawResponse:
    """A response with that JSON body."""
    return RawResponse(200, {b"content-type": b"application/json"}, body)
