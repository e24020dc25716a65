"""The response to a handshake with the service, however its bytes arrive."""

from unittest.mock import Mock

import pytest

from gateway.proxy.websocket.service_handshake import (
    MAX_REFUSAL_BYTES,
    InvalidHandshake,
    read_refusal,
)
from gateway.transport.raw_response import RawResponse


async def test_a_refusal_that_arrives_in_one_piece_has_the_same_bound() -> None:
    allowed = RawResponse(404, {}, b"x" * MAX_REFUSAL_BYTES)
    refusal = await read_refusal(allowed, Mock())
    assert (refusal.status, len(refusal.body)) == (404, MAX_REFUSAL_BYTES)
    too_long = allowed._replace(body=allowed.body + b"x")
    with pytest.raises(InvalidHandshake, match=f"404 with more than {MAX_REFUSAL_BYTES} bytes"):
        await read_refusal(too_long, Mock())
