"""The store of tickets in Redis, of several processes together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from gateway.errors.tree import TicketsUnavailable
from gateway.settings.schema import Counters, Settings
from gateway.tickets.open_store import open_ticket_store
from gateway.tickets.redis_store import TIMEOUT_SECONDS
from gateway.tickets.store import TicketStore
from gateway.tickets.ticket import generate_text, hash_text
from tests.docs.blocks import parse_blocks
from tests.docs.project import ROOT
from tests.gateway.tickets.stream_app import TICKET, issue, redeem, serve_streams
from tests.redis_server import RedisServer

pytestmark = pytest.mark.redis

PAGE = ROOT / "docs" / "how-to" / "run-in-production.md"
ACL = next(block.text for block in parse_blocks(PAGE) if block.text.startswith("ACL SETUSER"))


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def open_store(stack: AsyncExitStack, server: RedisServer, prefix: str = "") -> TicketStore:
    settings = Settings(redis_url=server.url, counters=Counters(key_prefix=prefix))
    return await stack.enter_async_context(open_ticket_store(settings))


async def test_a_ticket_of_one_process_is_taken_once_by_any(
    stack: AsyncExitStack, redis_server: RedisServer
) -> None:
    stores = [await open_store(stack, redis_server) for _ in range(4)]
    for number in range(20):
        digest = hash_text(generate_text())
        await stores[number % 4].save(digest, TICKET, 30)
        taken = await asyncio.gather(*(store.take(digest) for store in stores for _ in range(4)))
        assert [ticket for ticket in taken if ticket is not None] == [TICKET]


async def test_a_key_has_the_prefix_and_an_expiry_and_no_text(
    stack: AsyncExitStack, redis_server: RedisServer
) -> None:
    store = await open_store(stack, redis_server, "staging:")
    text = generate_text()
    await store.save(hash_text(text), TICKET, 7)
    key = f"staging:lockgate:ticket:{hash_text(text)}"
    assert redis_server.command("DBSIZE") == ":1"
    assert 0 < int(redis_server.command("PTTL", key)[1:]) <= 7_000
    assert await (await open_store(stack, redis_server)).take(hash_text(text)) is None
    assert await store.take(hash_text(text)) == TICKET
    assert redis_server.command("DBSIZE") == ":0"


async def test_a_value_of_another_version_is_no_ticket(
    stack: AsyncExitStack, redis_server: RedisServer
) -> None:
    store = await open_store(stack, redis_server)
    for value in ("", "x", "{}", "a" + "{}", "b" + "{}"):
        redis_server.command("SET", "lockgate:ticket:a", value)
        assert await store.take("a") is None


async def test_another_type_of_key_is_a_failure(
    stack: AsyncExitStack, redis_server: RedisServer
) -> None:
    store = await open_store(stack, redis_server)
    redis_server.command("LPUSH", "lockgate:ticket:a", "x")
    with pytest.raises(TicketsUnavailable) as caught:
        await store.take("a")
    assert "WRONGTYPE" in caught.value.explanation


async def test_without_redis_a_command_fails_within_its_timeout(
    stack: AsyncExitStack, own_redis: RedisServer
) -> None:
    store = await open_store(stack, own_redis)
    await store.save("a", TICKET, 30)
    own_redis.pause()
    async with asyncio.timeout(TIMEOUT_SECONDS * 4):
        commands = [store.take("a"), *(store.save("b", TICKET, 30) for _ in range(20))]
        failures = await asyncio.gather(*commands, return_exceptions=True)
    assert all(isinstance(failure, TicketsUnavailable) for failure in failures)
    own_redis.resume()
    # The replies to the commands that were given up are not taken for those of later ones.
    for digest in ("c", "d", "e", "f", "g"):
        assert await store.take(digest) is None
    own_redis.kill()
    with pytest.raises(TicketsUnavailable) as caught:
        await store.take("a")
    assert caught.value.explanation
    own_redis.start()
    await store.save("h", TICKET, 30)
    assert await store.take("h") == TICKET


async def test_a_request_is_refused_with_503_while_redis_is_down(own_redis: RedisServer) -> None:
    async with serve_streams(Settings(redis_url=own_redis.url)) as served:
        ticket = await issue(served, "/stream/prices")
        own_redis.kill()
        reply = await redeem(served, f"/stream/prices?ticket={ticket}")
        assert reply.status == 503
        assert reply.header("retry-after") == ["1"]
        await served.settle(2)
        assert served.log.completed[-1]["explanation"]
        assert ticket not in str(served.log.lines)


async def test_a_user_of_redis_needs_the_commands_of_the_page(
    stack: AsyncExitStack, own_redis: RedisServer
) -> None:
    own_redis.command(*ACL.replace("PASSWORD", "secret").split())
    settings = Settings(redis_url=own_redis.url.replace("//", "//lockgate:secret@"))
    store = await stack.enter_async_context(open_ticket_store(settings))
    await store.save("a", TICKET, 30)
    assert await store.take("a") == TICKET
