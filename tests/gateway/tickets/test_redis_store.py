"""The store of tickets in Redis, of several processes together."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from gateway.auth.jwt import base64url
from gateway.errors.tree import TicketRefused, TicketsUnavailable
from gateway.identity.internal_tokens import InternalTokens
from gateway.identity.key_timetable import SIGNING_DELAY, SigningKeys
from gateway.identity.signing_key import generate_signing_key
from gateway.ratelimit.redis.commands import TIMEOUT_SECONDS
from gateway.settings.schema import Counters, Issuer, Settings
from gateway.tickets.open_store import open_ticket_store
from gateway.tickets.signed_tickets import SignedTickets
from gateway.tickets.store import TicketStore
from gateway.tickets.ticket import generate_text, hash_text
from tests.docs.blocks import parse_blocks
from tests.docs.project import ROOT
from tests.gateway.tickets.signed import ISSUER, KEY, make_tokens, with_key_file
from tests.gateway.tickets.stream_app import TICKET, issue, redeem, serve_streams
from tests.redis_server import RedisServer

pytestmark = pytest.mark.redis

PAGE = ROOT / "docs" / "how-to" / "run-in-production.md"
ACL = next(block.text for block in parse_blocks(PAGE) if block.text.startswith("ACL SETUSER"))


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def open_store(
    stack: AsyncExitStack,
    server: RedisServer,
    prefix: str = "",
    *,
    url: str = "",
    tokens: InternalTokens | None = None,
    issuers: tuple[Issuer, ...] = (ISSUER,),
) -> TicketStore:
    counters = Counters(key_prefix=prefix)
    settings = Settings(redis_url=url or server.url, counters=counters, issuers=issuers)
    opening = open_ticket_store(settings, make_tokens() if tokens is None else tokens)
    return await stack.enter_async_context(opening)


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


async def find_refusal(store: TicketStore, digest: str) -> str:
    with pytest.raises(TicketRefused) as caught:
        await store.take(digest)
    assert caught.value.reason == "ticket_signature"
    return caught.value.explanation


async def test_only_what_this_gateway_has_signed_is_a_ticket(
    stack: AsyncExitStack, redis_server: RedisServer
) -> None:
    store = await open_store(stack, redis_server)
    key = "lockgate:ticket:a"
    forged = ("", "x", "{}", "a{}", "..", "e30.e30.e30", KEY.sign(b"{}"), KEY.sign(b"x", "JWT"))
    for value in forged:
        redis_server.command("SET", key, value)
        assert "no key in force has signed it" in await find_refusal(store, "a")
    moved = SignedTickets(make_tokens(), [ISSUER]).sign("b", TICKET, 30)
    redis_server.command("SET", key, moved)
    assert "another ticket" in await find_refusal(store, "a")
    header, payload, signature = moved.split(".")
    claims = base64url.decode(payload).replace(b'"u1"', b'"u2"')
    changed = f"{header}.{base64url.encode(claims)}.{signature}"
    redis_server.command("SET", "lockgate:ticket:b", changed)
    assert "no key in force" in await find_refusal(store, "b")
    redis_server.command("SET", "lockgate:ticket:b", moved)
    assert await store.take("b") == TICKET


async def test_a_ticket_of_another_gateway_is_refused(
    stack: AsyncExitStack, redis_server: RedisServer
) -> None:
    one = await open_store(stack, redis_server)
    other_key = make_tokens(generate_signing_key("ES256", 0))
    others = {
        "no key in force": await open_store(stack, redis_server, tokens=other_key),
        "another ticket or gateway": await open_store(
            stack, redis_server, tokens=make_tokens(issuer="https://other.test")
        ),
        "of an issuer that the settings": await open_store(stack, redis_server, issuers=()),
    }
    for explanation, other in others.items():
        await one.save("a", TICKET, 30)
        assert explanation in await find_refusal(other, "a")
        assert await one.take("a") is None  # the attempt has used it up


async def test_a_ticket_outlives_the_rotation_of_the_key(
    stack: AsyncExitStack, redis_server: RedisServer
) -> None:
    tokens = make_tokens()
    store = await open_store(stack, redis_server, tokens=tokens)
    now = time.time()
    await store.save("a", TICKET, 30)
    next_key = generate_signing_key("EdDSA", now - SIGNING_DELAY - 1)
    tokens.keys.use_keys(SigningKeys([KEY, next_key]))  # it has begun to sign
    assert await store.take("a") == TICKET
    await store.save("b", TICKET, 30)
    assert await store.take("b") == TICKET
    await store.save("c", TICKET, 30)
    tokens.keys.use_keys(SigningKeys([KEY]))
    assert "no key in force" in await find_refusal(store, "c")


async def test_a_value_that_outlives_its_time_is_refused(
    stack: AsyncExitStack, redis_server: RedisServer
) -> None:
    store = await open_store(stack, redis_server)
    await store.save("a", TICKET, 30)
    expired = SignedTickets(make_tokens(), [ISSUER]).sign("a", TICKET, 0)
    redis_server.command("SET", "lockgate:ticket:a", expired)
    assert await find_refusal(store, "a") == "what Redis has: it has expired"


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


async def test_a_request_is_refused_with_503_while_redis_is_down(
    own_redis: RedisServer, tmp_path: Path
) -> None:
    settings = with_key_file(Settings(redis_url=own_redis.url), tmp_path)
    async with serve_streams(settings) as served:
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
    url = own_redis.url.replace("//", "//lockgate:secret@")
    store = await open_store(stack, own_redis, url=url)
    await store.save("a", TICKET, 30)
    assert await store.take("a") == TICKET
