"""The states of `RedisConnection` and `RedisLimiter`, and how they are shown."""

import asyncio

import pytest
from redis.asyncio.connection import Connection

from gateway.ratelimit.limiter import RedisCheckFailed
from gateway.ratelimit.redis.connection import MAX_PENDING_CHECKS, RedisConnection
from gateway.ratelimit.redis.redis_limiter import RedisLimiter
from tests.gateway.ratelimit.charges import charge
from tests.gateway.ratelimit.redis.fake_redis_server import VALID_REPLY, FakeRedisServer

LONG_TIMEOUT = 5.0


def get_state(stateful: RedisConnection | RedisLimiter) -> str:
    """Return the name of the state, as mypy does not expect it to change."""
    return str(stateful.state.value)


async def test_a_connection_connects_once_and_closes_once() -> None:
    async with FakeRedisServer(VALID_REPLY).open() as server:
        pooled = Connection(host="127.0.0.1", port=server.port, protocol=2)
        await pooled.connect()  # type: ignore[no-untyped-call]
        connection = RedisConnection(LONG_TIMEOUT)
        assert get_state(connection) == "connecting"
        await connection.open(pooled)
        assert get_state(connection) == "connected"
        future = connection.check([charge(10)])
        assert repr(connection) == "<RedisConnection connected, 1 queued, 0 in flight>"
        await asyncio.sleep(0)
        assert repr(connection) == "<RedisConnection connected, 0 queued, 1 in flight>"
        assert (await future).admitted
        pending = connection.check([charge(10)])
        connection.close()
        assert get_state(connection) == "closed"
        assert "closed, 0 queued, 0 in flight, ConnectionAbortedError" in repr(connection)
        with pytest.raises(RedisCheckFailed):
            await pending
        with pytest.raises(RedisCheckFailed):
            connection.check([charge(10)])
        with pytest.raises(ConnectionAbortedError):
            await connection.wait_closed()
        await pooled.disconnect(nowait=True)


async def test_the_number_of_pending_checks_is_bounded() -> None:
    connection = RedisConnection(LONG_TIMEOUT)
    futures = [connection.check([charge(10)]) for _ in range(MAX_PENDING_CHECKS)]
    with pytest.raises(RedisCheckFailed, match="10000 checks are pending already"):
        connection.check([charge(10)])
    for future in futures:
        future.cancel()
    connection.close()


async def test_a_limiter_connects_and_disconnects_and_never_shows_its_password() -> None:
    async with FakeRedisServer(b"-LOADING Redis is loading\r\n").open() as server:
        url = server.url.replace("//", "//:secret@")
        limiter = RedisLimiter(url, timeout=LONG_TIMEOUT, retry=LONG_TIMEOUT)
        assert get_state(limiter) == "connecting"
        assert repr(limiter) == "<RedisLimiter connecting, 0 disconnects>"
        task = asyncio.create_task(limiter.run())
        await limiter.wait_first_attempt()
        assert get_state(limiter) == "connected"
        assert repr(limiter) == "<RedisLimiter connected, 0 disconnects>"
        with pytest.raises(RedisCheckFailed):
            await limiter.check([charge(10)])
        async with asyncio.timeout(LONG_TIMEOUT):
            while not limiter.health().get("reason"):  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        assert get_state(limiter) == "disconnected"
        assert repr(limiter).startswith("<RedisLimiter disconnected, 1 disconnects, BusyLoading")
        assert "secret" not in repr(limiter)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
