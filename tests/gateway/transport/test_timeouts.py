"""The time that all waits of a call share."""

from unittest.mock import Mock

from gateway.transport.timeouts import DeadlineTimeouts


def test_all_waits_share_the_time_that_is_left() -> None:
    loop = Mock()
    loop.time.return_value = 100.0
    timeouts = DeadlineTimeouts(loop, ends_at=102.0, connect=1)
    assert (timeouts.pool, timeouts.connect) == (2, 1)
    loop.time.return_value = 101.5
    assert (timeouts.pool, timeouts.connect) == (0.5, 0.5)
    loop.time.return_value = 103.0
    assert (timeouts.pool, timeouts.connect) == (0, 0)
