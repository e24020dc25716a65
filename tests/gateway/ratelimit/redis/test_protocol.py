"""The checks' own protocol, on every kind of socket that redis-py opens, and against nonsense."""

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
from tests.gateway.ratelimit.redis.fake_redis_server import SOUND, FakeRedisServer
from tests.gateway.ratelimit.redis.slow_proxy import SlowProxy
from tests.gateway.transport.certificate_authority import Authority
from tests.redis_server import RedisServer

pytestmark = pytest.mark.redis

PATIENT = 5.0
LOOPS = (asyncio.run, uvloop.run)


async def spend(url: str, checks: int = 50) -> list[int]:
    """What was left after each of so many checks at once, and that the link held."""
    limiter = RedisLimiter(url, timeout=PATIENT, retry=0.05)
    running = asyncio.create_task(limiter.run())
    try:
        await limiter.wait_first_attempt()
        verdicts = await asyncio.gather(*(limiter.check([charge(100)]) for _ in range(checks)))
        assert limiter.health() == {"redis": "up", "disconnects": 0}
        return [verdict.standings[0].remaining for verdict in verdicts]
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


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
    context = Authority(tmp_path).serving("127.0.0.1")
    assert run(_spend_over_tls(redis_server, context)) == list(range(99, 49, -1))


async def _spend_over_tls(redis_server: RedisServer, context: ssl.SSLContext) -> list[int]:
    async with SlowProxy(redis_server.port).open(context) as proxy:
        return await spend(f"rediss://127.0.0.1:{proxy.port}/0?ssl_cert_reqs=none")


@pytest.mark.parametrize("run", LOOPS)
def test_it_counts_where_one_has_to_log_in(run: Callable[..., Any], own_redis: RedisServer) -> None:
    own_redis.command("CONFIG", "SET", "requirepass", "right")
    url = f"redis://:right@127.0.0.1:{own_redis.port}"
    assert run(spend(url)) == list(range(99, 49, -1))


async def test_a_wrong_password_is_known_before_any_check(own_redis: RedisServer) -> None:
    own_redis.command("CONFIG", "SET", "requirepass", "right")
    limiter = RedisLimiter(f"redis://:wrong@127.0.0.1:{own_redis.port}", timeout=PATIENT, retry=1)
    running = asyncio.create_task(limiter.run())
    await limiter.wait_first_attempt()
    assert limiter.health()["reason"] == "AuthenticationError"
    with pytest.raises(RedisCheckFailed):
        await limiter.check([charge(5)])
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


NONSENSE = {
    "no array": b"+OK\r\n",
    "a number": b":1\r\n",
    "nothing": b"*-1\r\n",
    "too few": b"*3\r\n:1\r\n:9\r\n:0\r\n",
    "too many": b"*5\r\n:1\r\n:9\r\n:0\r\n:0\r\n:0\r\n",
    "no numbers": b"*4\r\n:1\r\n$1\r\nx\r\n:0\r\n:0\r\n",
    "negative": b"*4\r\n:1\r\n:-9\r\n:0\r\n:0\r\n",
    "another protocol": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "no end": b"*4\r\n$99999999\r\n" + b"x" * (MAX_REPLY_BYTES + 1),
    "an answer too many": SOUND + SOUND,
    "still loading": b"-LOADING Redis is loading the dataset in memory\r\n",
    "not let in": b"-NOAUTH Authentication required.\r\n",
}


@pytest.mark.parametrize("run", LOOPS)
@pytest.mark.parametrize("nonsense", NONSENSE.values(), ids=NONSENSE)
def test_nonsense_ends_the_link_and_nobody_waits(run: Callable[..., Any], nonsense: bytes) -> None:
    run(_meet(nonsense))


async def _meet(nonsense: bytes) -> None:
    async with FakeRedisServer(nonsense).open() as server:
        limiter = RedisLimiter(server.url, timeout=PATIENT, retry=PATIENT)
        running = asyncio.create_task(limiter.run())
        await limiter.wait_first_attempt()
        async with asyncio.timeout(PATIENT / 2):  # well before anything is too late
            await asyncio.gather(
                *(limiter.check([charge(5)]) for _ in range(3)), return_exceptions=True
            )
            while limiter.health()["redis"] == "up":  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        with pytest.raises(RedisCheckFailed):
            await limiter.check([charge(5)])
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_one_who_speaks_unasked_is_not_taken_on() -> None:
    async with FakeRedisServer(b"").open() as server:
        port = int(server.url.rsplit(":", 1)[1].removesuffix("/0"))
        connection = Connection(host="127.0.0.1", port=port, protocol=2)
        await connection.connect()  # type: ignore[no-untyped-call]
        await connection.send_command("PING")
        async with asyncio.timeout(PATIENT):
            while not await connection.can_read():  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        wire = RedisProtocol(lambda _: None, lambda: None, lambda _: None)
        with pytest.raises(RedisConnectionError, match="before any check was sent"):
            await wire.take_over(connection)
        await connection.disconnect(nowait=True)


@pytest.mark.parametrize("run", LOOPS)
def test_more_than_the_sockets_hold_waits_and_is_charged_once(
    run: Callable[..., Any], own_redis: RedisServer
) -> None:
    assert run(_overfill(own_redis)) == list(range(9_000))


async def _overfill(server: RedisServer) -> list[int]:
    """Three ticks of checks with long keys, to a Redis that reads again only after them."""
    limiter = RedisLimiter(server.url, timeout=20, retry=0.05)
    running = asyncio.create_task(limiter.run())
    await limiter.wait_first_attempt()
    account = replace(charge(9_000), key="lockgate:{t}:" + "x" * 2_000)
    server.pause()
    checks, buffered = [], []
    for _ in range(3):
        checks += [asyncio.ensure_future(limiter.check([account])) for _ in range(3_000)]
        await asyncio.sleep(0.01)
        assert limiter._connection is not None
        buffered.append(limiter._connection._protocol._transport.get_write_buffer_size())  # type: ignore[union-attr]
    server.resume()
    assert 0 < buffered[2] <= buffered[1] <= buffered[0]  # only the first tick was written
    verdicts = await asyncio.gather(*checks)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return sorted(verdict.standings[0].remaining for verdict in verdicts)
