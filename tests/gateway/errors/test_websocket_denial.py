"""Close codes of refused WebSocket connections."""

import pytest

from gateway.errors.websocket_denial import get_close_code


@pytest.mark.parametrize(
    ("status", "code"), [(401, 1008), (403, 1008), (429, 1008), (503, 1013), (500, 1011)]
)
def test_each_status_has_a_close_code(status: int, code: int) -> None:
    assert get_close_code(status) == code
