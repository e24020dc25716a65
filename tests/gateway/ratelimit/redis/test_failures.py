"""Every way in which a Redis refuses to count: a clear line in the log, and recovery."""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from socket import create_connection, create_server

import pytest
from pydantic import RedisDsn

from gateway.ratelimit.limiter import RedisCheckFailed
from gateway.ratelimit.open_limiter import open_limiter
from gateway.ratelimit.redis.failures import describe_failure
from gateway.ratelimit.redis.redis_internals import parse_error
from gateway.ratelimit.redis.redis_limiter import RedisLimiter
from gateway.ratelimit.redis.redis_url import CONNECT_SECONDS
from gateway.settings.schema import Settings
from tests.docs.project import ROOT
from tests.gateway.ratelimit.charges import charge
from tests.gateway.ratelimit.redis.connect_timeout import set_connect_timeout
from tests.gateway.ratelimit.redis.fake_redis_server import FakeRedisServer
from tests.gateway.ratelimit.redis.slow_proxy import SlowProxy
from tests.gateway.transport.certificate_authority import Authority
from tests.redis_server import RedisServer

pytestmark = pytest.mark.redis

LONG_TIMEOUT = 10.0
HANG_SECONDS = 40.0

PAGE = (ROOT / "docs/how-to/run-in-production.md").read_text()
(DOCUMENTED,) = re.findall(r"^ACL SETUSER lockgate (.*)$", PAGE, re.MULTILINE)
ACL = DOCUMENTED.replace("PASSWORD", "p@ss/w#rd%")
USER = "gate:p%40ss%2Fw%23rd%25@"

Commands = Sequence[tuple[str, ...]]


@asynccontextmanager
async def limit(
    url: str, key_prefix: str = "", connect_seconds: float = LONG_TIMEOUT
) -> AsyncIterator[RedisLimiter]:
    with set_connect_timeout(connect_seconds):
        limiter = RedisLimiter(url, timeout=LONG_TIMEOUT, retry=0.02, key_prefix=key_prefix)
        task = asyncio.create_task(limiter.run())
        try:
            async with asyncio.timeout(HANG_SECONDS):
                await limiter.wait_first_attempt()
                yield limiter
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def wait_until(is_reached: Callable[[], bool]) -> None:
    while not is_reached():  # noqa: ASYNC110
        await asyncio.sleep(0.002)


def list_reasons(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        str(getattr(record, "fields", {})["reason"])
        for record in caplog.records
        if record.msg == "redis.disconnected"
    ]


def get_url(server: RedisServer, user: str = "") -> str:
    return f"redis://{user}127.0.0.1:{server.port}/0"


def set_user(*rules: str) -> tuple[str, ...]:
    return ("ACL", "SETUSER", "gate", "reset", *ACL.split(), *rules)


FAILURES: dict[str, tuple[str, Commands, Commands, str]] = {
    "no password": (
        "",
        [("CONFIG", "SET", "requirepass", "right")],
        [],
        "redis_url has no password, and this Redis requires one",
    ),
    "wrong password": (
        ":hunter2@",
        [("CONFIG", "SET", "requirepass", "right")],
        [],
        "the user or the password of redis_url is wrong",
    ),
    "password of a Redis without one": (
        ":hunter2@",
        [],
        [],
        "this Redis has no password; remove it from redis_url",
    ),
    "user without scripts": (
        USER,
        [set_user("-evalsha")],
        [set_user()],
        "the user of redis_url lacks a permission",
    ),
    "user without a command of the script": (
        USER,
        [set_user("-hset")],
        [set_user()],
        "the user of redis_url lacks a permission",
    ),
    "user without the keys": (
        USER,
        [set_user("resetkeys", "~other:*")],
        [set_user()],
        "the user of redis_url",
    ),
    "replica": (
        "",
        [("REPLICAOF", "127.0.0.1", "1")],
        [("REPLICAOF", "NO", "ONE")],
        "this is a replica; redis_url must name the primary",
    ),
    "replica without stale data": (
        "",
        [("CONFIG", "SET", "replica-serve-stale-data", "no"), ("REPLICAOF", "127.0.0.1", "1")],
        [("REPLICAOF", "NO", "ONE")],
        "redis_url must name the primary",
    ),
    "out of memory": (
        "",
        [("CONFIG", "SET", "maxmemory", "1")],
        [("CONFIG", "SET", "maxmemory", "0")],
        "its maxmemory is reached",
    ),
    "too few replicas": (
        "",
        [("CONFIG", "SET", "min-replicas-to-write", "1")],
        [("CONFIG", "SET", "min-replicas-to-write", "0")],
        "it has too few replicas to write",
    ),
}


@pytest.mark.parametrize("case", FAILURES.values(), ids=FAILURES)
async def test_a_redis_that_refuses_is_named_in_the_log_and_recovered_from(
    case: tuple[str, Commands, Commands, str],
    own_redis: RedisServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    user, break_it, repair, words = case
    for command in break_it:
        assert own_redis.command(*command) == "+OK"
    async with limit(get_url(own_redis, user)) as limiter:
        assert limiter.health()["redis"] == "down"
        (reason,) = list_reasons(caplog)
        assert words in reason
        assert "hunter2" not in caplog.text
        with pytest.raises(RedisCheckFailed):
            await limiter.check([charge(10)])
        for command in repair:
            assert own_redis.command(*command) == "+OK"
        if repair:
            await wait_until(lambda: limiter.health()["redis"] == "up")
            assert (await limiter.check([charge(10)])).admitted


@pytest.mark.parametrize("key_prefix", ["", "lockgate:staging:"])
async def test_a_user_with_the_documented_permissions_counts(
    own_redis: RedisServer, key_prefix: str
) -> None:
    assert own_redis.command(*set_user()) == "+OK"
    async with limit(get_url(own_redis, USER), key_prefix) as limiter:
        assert limiter.health() == {"redis": "up", "disconnects": 0}
        for cost in (1, 9, 1):  # the last is refused
            verdict = await limiter.check([charge(10, cost=cost), charge(20, name="b", burst=9)])
        assert not verdict.admitted
    assert own_redis.command("EXISTS", f"{key_prefix}{charge(10).key}") == ":1"


async def test_two_gateways_with_prefixes_count_apart(redis_server: RedisServer) -> None:
    counts = []
    for key_prefix in ("staging:", "production:", "staging:"):
        async with limit(redis_server.url, key_prefix) as limiter:
            standing = (await limiter.check([charge(10)])).standings[0]
        counts.append(10 - standing.remaining)
    assert counts == [1, 1, 2]
    assert redis_server.command("EXISTS", f"staging:{charge(10).key}") == ":1"


async def test_a_node_of_a_cluster_is_named(
    redis_binary: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    flags = ("--cluster-enabled", "yes", "--dir", str(tmp_path))
    server = RedisServer(redis_binary, *flags)
    while server.port > 55_535:  # the port of the cluster bus is 10,000 higher
        server = RedisServer(redis_binary, *flags)
    server.start()
    try:
        async with limit(get_url(server)) as limiter:
            assert limiter.health()["reason"] == "RedisClusterUnsupported"
            assert "names a node of a cluster" in list_reasons(caplog)[0]
    finally:
        server.stop()


async def test_tls_on_one_side_alone_is_named(
    own_redis: RedisServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with limit(get_url(own_redis).replace("redis", "rediss")) as limiter:
        assert limiter.health()["redis"] == "down"
    context: ssl.SSLContext = Authority(tmp_path).make_server_context("127.0.0.1")
    async with (
        SlowProxy(own_redis.port).open(context) as proxy,
        limit(f"redis://127.0.0.1:{proxy.port}") as limiter,
    ):
        assert limiter.health()["redis"] == "down"
    tls, plain = list_reasons(caplog)
    assert "Without TLS, redis_url begins with redis://" in tls
    assert "With TLS, redis_url begins with rediss://" in plain


async def test_too_many_clients_are_named(
    own_redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    assert own_redis.command("CONFIG", "SET", "maxclients", "1") == "+OK"
    with closing(create_connection(("127.0.0.1", own_redis.port))) as other:
        other.sendall(b"PING\r\n")
        assert other.recv(64) == b"+PONG\r\n"
        async with limit(get_url(own_redis)) as limiter:
            assert "maxclients" in list_reasons(caplog)[0].partition("(")[2]
            other.close()
            await wait_until(lambda: limiter.health()["redis"] == "up")


async def test_a_connection_that_worked_is_not_said_to_lack_tls(
    own_redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with limit(get_url(own_redis)) as limiter:
        own_redis.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        await wait_until(lambda: limiter.health() == {"redis": "up", "disconnects": 1})
    (reason,) = list_reasons(caplog)
    assert reason.endswith(
        "(Redis, or a proxy in front of it, has closed a connection that worked)"
    )


async def test_a_redis_that_has_worked_and_stops_is_not_said_to_lack_tls(
    own_redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with limit(get_url(own_redis)) as limiter:
        own_redis.command("REPLICAOF", "127.0.0.1", "1")
        with pytest.raises(RedisCheckFailed):
            await limiter.check([charge(10)])
        await wait_until(lambda: limiter.health()["redis"] == "down")
        own_redis.kill()
        closing_server = await asyncio.start_server(
            lambda _, writer: writer.close(), "127.0.0.1", own_redis.port
        )
        async with closing_server:
            await wait_until(lambda: limiter.health()["reason"] != "ReadOnlyError")
            await wait_until(lambda: len(list_reasons(caplog)) > 1)
    assert "TLS" not in caplog.text


async def test_scripts_that_do_not_reply_while_counts_are_restored_are_named(
    own_redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    assert own_redis.command("CLIENT", "PAUSE", "100000", "WRITE") == "+OK"
    with set_connect_timeout(LONG_TIMEOUT):
        settings = Settings(redis_url=RedisDsn(own_redis.url))
        async with open_limiter(settings):
            (reason,) = list_reasons(caplog)
    assert reason == "TimeoutError: no response while restoring counts within 500 ms"


async def test_a_server_that_does_not_respond_is_named_in_words(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with create_server(("127.0.0.1", 0)) as silent:  # the kernel accepts, nothing responds
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        async with limit(url, connect_seconds=CONNECT_SECONDS):
            (reason,) = list_reasons(caplog)
    assert reason == "TimeoutError: no response while connecting to Redis within 500 ms"


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ("MISCONF Redis is configured to save RDB snapshots", "refuses to write"),
        ("LOADING Redis is loading the dataset in memory", "it starts, and reads its data"),
        ("MOVED 3999 127.0.0.1:6381", "a node of a Redis Cluster"),
        ("MOVED", "a node of a Redis Cluster"),
        ("CROSSSLOT Keys in request don't hash to the same slot", "a Redis Cluster"),
        ("CLUSTERDOWN Hash slot not served", "a Redis Cluster"),
        ("ERR unknown command 'EVALSHA', with args beginning with:", "needs EVALSHA and EVAL"),
        ("DENIED Redis is running in protected mode because " + "x" * 900, "protected mode"),
        ("ERR something new", "ResponseError: ERR something new"),
    ],
)
async def test_an_error_during_a_check_is_named_once(
    reply: str, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert words in describe_failure(parse_error(reply))
    async with FakeRedisServer(f"-{reply}\r\n".encode()).open() as server:
        limiter = RedisLimiter(server.url, timeout=LONG_TIMEOUT, retry=LONG_TIMEOUT)
        task = asyncio.create_task(limiter.run())
        await limiter.wait_first_attempt()
        results = await asyncio.gather(
            *(limiter.check([charge(10)]) for _ in range(3)), return_exceptions=True
        )
        assert all(isinstance(result, RedisCheckFailed) for result in results)
        await wait_until(lambda: limiter.health()["redis"] == "down")
        (reason,) = list_reasons(caplog)
        assert words in reason
        assert len(reason) < 500
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
