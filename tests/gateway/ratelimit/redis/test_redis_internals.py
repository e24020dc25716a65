"""One test for each private or undocumented name of redis-py, and the effect of its removal."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio.connection import AbstractConnection, Connection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, ReadOnlyError

from gateway.ratelimit.redis.redis_internals import get_transport, has_pending_data, parse_error
from gateway.ratelimit.redis.redis_url import create_pool
from tests.gateway.ratelimit.redis.fake_redis_server import FakeRedisServer
from tests.gateway.transport.addresses import NAME, black_hole, resolve_to
from tests.gateway.transport.certificate_authority import Authority


@pytest.fixture
async def connection() -> AsyncIterator[AbstractConnection]:
    """A connection of redis-py to a server that answers."""
    async with FakeRedisServer(b"").open() as server:
        connection = Connection(host="127.0.0.1", port=server.port, protocol=2)
        await connection.connect()  # type: ignore[no-untyped-call]
        yield connection
        await connection.disconnect(nowait=True)


async def test_writer(connection: AbstractConnection) -> None:
    """Without `_writer` the socket cannot be taken over, and no check can be sent."""
    transport = get_transport(connection)
    assert isinstance(transport, asyncio.Transport)
    assert transport.get_extra_info("peername")[1] == connection.port  # type: ignore[attr-defined]


async def test_writer_of_a_closed_connection() -> None:
    """`_writer` is None while redis-py is not connected; an error here would end the task."""
    assert get_transport(Connection(host="127.0.0.1", port=1)) is None


async def test_can_read(connection: AbstractConnection) -> None:
    """Without `can_read`, unexpected data would be taken for the reply to a check."""
    assert not await has_pending_data(connection)
    await connection.send_command("PING")
    async with asyncio.timeout(20):
        while not await has_pending_data(connection):  # noqa: ASYNC110
            await asyncio.sleep(0.001)


def test_parse_error() -> None:
    """Without `parse_error`, a lost script would close the connection instead of being sent."""
    assert isinstance(parse_error("NOSCRIPT No matching script."), NoScriptError)
    assert isinstance(parse_error("READONLY You can't write."), ReadOnlyError)


@pytest.mark.parametrize("is_tls", [False, True])
async def test_connection_class(
    is_tls: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without a class of ours, a first address that does not respond takes Redis away."""
    authority = Authority(tmp_path)
    tls = authority.make_server_context(NAME) if is_tls else None
    resolve_to(monkeypatch, "127.0.0.2", "127.0.0.1")
    async with FakeRedisServer(b"").open(tls) as server:
        with black_hole("127.0.0.2", server.port):
            pool = create_pool(
                f"{'rediss' if is_tls else 'redis'}://{NAME}:{server.port}/0",
                authority.certificate_file,
            )
            connection = await pool.get_connection()  # type: ignore[no-untyped-call]
        transport = get_transport(connection)
        assert transport is not None
        opened = transport.get_extra_info("socket")
        assert opened.getpeername()[0] == "127.0.0.1"
        assert opened.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        await connection.disconnect(nowait=True)


async def test_each_address_of_an_unreachable_redis_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resolve_to(monkeypatch, "127.0.0.2", "127.0.0.1")
    connection = create_pool(f"redis://{NAME}:1/0").make_connection()  # type: ignore[no-untyped-call]
    with pytest.raises(RedisConnectionError) as failed:
        await connection.connect()
    assert "127.0.0.2:1 Connection refused; 127.0.0.1:1 Connection refused" in str(failed.value)
