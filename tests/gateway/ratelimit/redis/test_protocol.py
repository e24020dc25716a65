"""`RedisProtocol` on every kind of socket that redis-py opens, and with invalid replies."""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import uvloop
from redis.asyncio.connection import Connection
from redis.exceptions import ConnectionError as RedisConnectionError

from gateway.ratelimit.redis.connection import RedisCheckFailed
from gateway.ratelimit.redis.protocol import MAX_REPLY_BYTES, RedisProtocol
from gateway.ratelimit.redis.redis_limiter import RedisLimiter
from tests.gateway.ratelimit.charges import charge
from tests.gateway.ratelimit.redis.connect_timeout import set_connect_timeout
from tests.gateway.ratelimit.redis.fake_redis_server import VALID_REPLY, FakeRedisServer
from tests.gateway.ratelimit.redis.slow_proxy import SlowProxy
from tests.gateway.transport.certificate_authority import Authority
from tests.redis_server import RedisServer

pytestmark = pytest.mark.redis

LONG_TIMEOUT = 5.0
LONG_CONNECT_TIMEOUT = 30.0
LOOPS = (asyncio.run, uvloop.run)


async def spend(url: str, checks: int = 50) -> list[int]:
    """Send `checks` checks at once, and return what each left; the connection must hold."""
    with set_connect_timeout(LONG_CONNECT_TIMEOUT):
        limiter = RedisLimiter(url, timeout=LONG_TIMEOUT, retry=0.05)
        task = asyncio.create_task(limiter.run())
        await limiter.wait_first_attempt()
    try:
        verdicts = await asyncio.gather(*(limiter.check([charge(100)]) for _ in range(checks)))
        assert limiter.health() == {"redis": "up", "disconnects": 0}
        return [verdict.standings[0].remaining for verdict in verdicts]
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("run", LOOPS)
def test_it_counts_over_tcp_in_the_database_of_the_url(
    run: Callable[..., Any], redis_server: RedisServer
) -> None:
    url = redis_server.url.removesuffix("/0") + "/3"
    assert run(spend(url)) == list(range(99, 49, -1))
    assert redis_server.command("DBSIZE") == ":0"


@pytest.mark.parametrize("run", LOOPS)
def test_it_counts_over_tls(
    run: Callable[..., Any], redis_server: RedisServer, tmp_path: Path
) -> None:
    context = Authority(tmp_path).make_server_context("127.0.0.1")
    assert run(_spend_over_tls(redis_server, context)) == list(range(99, 49, -1))


async def _spend_over_tls(redis_server: RedisServer, context: ssl.SSLContext) -> list[int]:
    async with SlowProxy(redis_server.port).open(context) as proxy:
        return await spend(f"rediss://127.0.0.1:{proxy.port}/0?ssl_cert_reqs=none")


@pytest.mark.parametrize("run", LOOPS)
def test_it_counts_with_a_password(run: Callable[..., Any], own_redis: RedisServer) -> None:
    own_redis.command("CONFIG", "SET", "requirepass", "right")
    url = f"redis://:right@127.0.0.1:{own_redis.port}"
    assert run(spend(url)) == list(range(99, 49, -1))


@pytest.mark.parametrize("run", LOOPS)
def test_it_counts_over_a_unix_socket(
    run: Callable[..., Any], redis_binary: str, tmp_path: Path
) -> None:
    path = tmp_path / "redis.sock"
    server = RedisServer(redis_binary, "--unixsocket", str(path))
    server.start()
    try:
        assert run(spend(f"unix://{path}?db=3")) == list(range(99, 49, -1))
        assert server.command("DBSIZE") == ":0"
        server.command("CONFIG", "SET", "requirepass", "r@ght")
        assert run(spend(f"unix://:r%40ght@{path}?db=4")) == list(range(99, 49, -1))
    finally:
        server.stop()


def test_it_counts_in_a_valkey(redis_server: RedisServer) -> None:
    assert uvloop.run(spend(redis_server.url.replace("redis", "valkey"))) == list(range(99, 49, -1))


async def test_a_wrong_password_fails_before_any_check(own_redis: RedisServer) -> None:
    own_redis.command("CONFIG", "SET", "requirepass", "right")
    limiter = RedisLimiter(
        f"redis://:wrong@127.0.0.1:{own_redis.port}", timeout=LONG_TIMEOUT, retry=1
    )
    task = asyncio.create_task(limiter.run())
    await limiter.wait_first_attempt()
    assert limiter.health()["reason"] == "AuthenticationError"
    with pytest.raises(RedisCheckFailed):
        await limiter.check([charge(5)])
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


INVALID_REPLIES = {
    "not an array": b"+OK\r\n",
    "a number": b":1\r\n",
    "null array": b"*-1\r\n",
    "too few": b"*5\r\n:7\r\n:1\r\n:9\r\n:0\r\n:0\r\n",
    "too many": b"*7\r\n:7\r\n:1\r\n:9\r\n:0\r\n:0\r\n$-1\r\n:0\r\n",
    "not integers": b"*6\r\n:7\r\n:1\r\n$1\r\nx\r\n:0\r\n:0\r\n$-1\r\n",
    "no time": b"*6\r\n$1\r\nx\r\n:1\r\n:9\r\n:0\r\n:0\r\n$-1\r\n",
    "negative": b"*6\r\n:7\r\n:1\r\n:-9\r\n:0\r\n:0\r\n$-1\r\n",
    "another protocol": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "too long": b"*4\r\n$99999999\r\n" + b"x" * (MAX_REPLY_BYTES + 1),
    "a second reply": VALID_REPLY + VALID_REPLY,
    "still loading": b"-LOADING Redis is loading the dataset in memory\r\n",
    "not authenticated": b"-NOAUTH Authentication required.\r\n",
}


@pytest.mark.parametrize("run", LOOPS)
@pytest.mark.parametrize("reply", INVALID_REPLIES.values(), ids=INVALID_REPLIES)
def test_an_invalid_reply_closes_the_connection_and_no_check_hangs(
    run: Callable[..., Any], reply: bytes
) -> None:
    run(_receive_invalid(reply))


async def _receive_invalid(reply: bytes) -> None:
    async with FakeRedisServer(reply).open() as server:
        limiter = RedisLimiter(server.url, timeout=LONG_TIMEOUT, retry=LONG_TIMEOUT)
        task = asyncio.create_task(limiter.run())
        await limiter.wait_first_attempt()
        async with asyncio.timeout(LONG_TIMEOUT / 2):  # long before a check times out
            await asyncio.gather(
                *(limiter.check([charge(5)]) for _ in range(3)), return_exceptions=True
            )
            while limiter.health()["redis"] == "up":  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        with pytest.raises(RedisCheckFailed):
            await limiter.check([charge(5)])
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_connection_with_unexpected_data_is_not_taken_over() -> None:
    async with FakeRedisServer(b"").open() as server:
        connection = Connection(host="127.0.0.1", port=server.port, protocol=2)
        await connection.connect()  # type: ignore[no-untyped-call]
        await connection.send_command("PING")
        async with asyncio.timeout(LONG_TIMEOUT):
            while not await connection.can_read():  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        protocol = RedisProtocol(lambda _: None, lambda: None, lambda _: None)
        with pytest.raises(RedisConnectionError, match="before any check was sent"):
            await protocol.take_over(connection)
        await connection.disconnect(nowait=True)


@pytest.mark.parametrize("run", LOOPS)
def test_checks_that_the_socket_buffers_cannot_hold_wait_and_are_charged_once(
    run: Callable[..., Any], own_redis: RedisServer
) -> None:
    assert run(_overfill(own_redis)) == list(range(9_000))


async def _overfill(server: RedisServer) -> list[int]:
    """Send checks with long keys in three turns of the loop; Redis reads only after them."""
    limiter = RedisLimiter(server.url, timeout=20, retry=0.05)
    task = asyncio.create_task(limiter.run())
    await limiter.wait_first_attempt()
    long_key = replace(charge(9_000), key="lockgate:{t}:" + "x" * 2_000)
    server.pause()
    checks, buffered = [], []
    for _ in range(3):
        checks += [asyncio.ensure_future(limiter.check([long_key])) for _ in range(3_000)]
        await asyncio.sleep(0.01)
        assert limiter._connection is not None
        buffered.append(limiter._connection._protocol._transport.get_write_buffer_size())  # type: ignore[union-attr]
    server.resume()
    assert 0 < buffered[2] <= buffered[1] <= buffered[0]  # only the first turn was written
    verdicts = await asyncio.gather(*checks)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return sorted(verdict.standings[0].remaining for verdict in verdicts)
