"""Trailers of a response: none of them is a way around the rules for fields."""

import pytest

from gateway.proxy.fields.trailers import filter_response_trailers

CHECKSUM = (b"Content-Digest", b"sha-256=:a:")


@pytest.mark.parametrize("name", [b"Content-Digest", b"Grpc-Status", b"Server-Timing", b"X-Rows"])
def test_a_trailer_goes_back(name: bytes) -> None:
    assert filter_response_trailers([(name, b"1")]) == [(name, b"1")]


@pytest.mark.parametrize(
    "name",
    [
        b"Set-Cookie", b"Access-Control-Allow-Origin", b"RateLimit", b"X-Request-Id", b"Location",
        b"Content-Length", b"Transfer-Encoding", b"Connection", b"Content-Type", b"Cache-Control",
        b"Content-Encoding", b"Content-Range", b"Strict-Transport-Security", b"Via", b"Vary",
        b"WWW-Authenticate", b"X-Accel-Redirect", b"Trailer", b"Upgrade", b"Age",
    ],
)  # fmt: skip
def test_a_trailer_that_the_service_must_not_send_is_removed(name: bytes) -> None:
    for spelling in (name, name.lower(), name.upper()):
        assert filter_response_trailers([(spelling, b"1"), CHECKSUM]) == [CHECKSUM]
