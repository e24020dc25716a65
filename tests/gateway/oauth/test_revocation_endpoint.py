"""POST /oauth/revoke, on a socket: whose tokens it revokes, and at once."""

import asyncio
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.api_keys.api_key import ApiKey, generate_id, generate_text, hash_text
from gateway.api_keys.key_table import add_key
from gateway.identity.internal_tokens import InternalTokens
from gateway.oauth.revocation_endpoint import REVOCATIONS
from gateway.ratelimit.limits import Demand, Limits
from gateway.ratelimit.partition import digest
from gateway.storage.journal import Author, Change, read_entries
from gateway.storage.open_storage import Storage
from tests.gateway.errors.served import Reply, build_request
from tests.gateway.identity.callers import make_caller
from tests.gateway.oauth.exchange_gateway import serve_exchanges
from tests.gateway.oauth.oauth_gateway import GATEWAY, SECRET, OAuthGateway, basic
from tests.gateway.oauth.own_token_gateway import (
    Signer,
    find_reason,
    get,
    make_provider_token,
    serve_own_tokens,
)
from tests.gateway.proxy.test_stream_end import CHUNK, LAST_CHUNK

PATH = "/oauth/revoke"

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OAuthGateway]:
    async with serve_own_tokens(tmp_path_factory.mktemp("revoke")) as served:
        yield served


@pytest.fixture(scope="module")
def signer(gateway: OAuthGateway) -> Signer:
    return Signer(gateway)


async def ask(gateway: OAuthGateway, token: str, client: str = "bff", **form: str) -> Reply:
    return await gateway.post({"token": token, **form}, basic(client, SECRET), PATH)


async def read_journal(gateway: OAuthGateway) -> list[Change]:
    storage: Storage = gateway.app.state.resources[Storage]
    entries = await storage.database.read(partial(read_entries, after=0, limit=1_000))
    return [it.change for it in entries if it.change.action == "revocation.add"]


async def test_a_token_is_refused_from_the_response_on(
    gateway: OAuthGateway, signer: Signer
) -> None:
    token = signer.sign({"jti": "own"})
    exchanged = signer.exchange(jti="e1", origin=[{"iss": GATEWAY, "jti": "own", "iat": 1}])
    assert [(await get(gateway, it)).status for it in (token, exchanged)] == [200, 200]
    reply = await ask(gateway, token)
    assert (reply.status, reply.body, reply.header("cache-control")) == (200, b"", ["no-store"])
    assert [(await get(gateway, it)).status for it in (token, exchanged)] == [401, 401]
    assert find_reason(gateway)[0] == "revoked"
    [change] = [it for it in await read_journal(gateway) if it.subject == "own"]
    assert (change.actor, change.subject, change.reason) == ("client bff", "own", f"POST {PATH}")
    assert change.details["issuer"] == GATEWAY


async def test_an_open_stream_ends_with_the_token_that_its_own_was_exchanged_for(
    gateway: OAuthGateway, signer: Signer
) -> None:
    token = signer.sign({"jti": "of-stream"})
    origin = [{"iss": GATEWAY, "jti": "of-stream", "iat": int(time.time())}]
    fields = {"Authorization": f"Bearer {signer.exchange(jti='e2', origin=origin)}"}
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.served.port)
    writer.write(build_request("/inventory/events", headers=fields))
    async with asyncio.timeout(10):
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        assert await reader.readexactly(len(CHUNK)) == CHUNK
        await ask(gateway, token)
        assert await reader.readexactly(len(LAST_CHUNK)) == LAST_CHUNK
    writer.close()


async def test_what_was_exchanged_for_a_token_ends_with_it(tmp_path: Path) -> None:
    async with serve_exchanges(tmp_path) as gateway:
        user = gateway.subjects["user"]
        first = await gateway.get_token("bff", user)
        second = await gateway.get_token("relay", first)
        chain = [user, first, second]
        assert [(await gateway.call("/stock/1", it)).status for it in chain] == [200, 200, 200]
        assert (await ask(gateway, first, "relay")).status == 400
        assert (await ask(gateway, first, "bff")).status == 200
        assert [(await gateway.call("/stock/1", it)).status for it in chain] == [200, 401, 401]
        for token in (first, second):
            form = {"token": token}
            reply = await gateway.post(form, basic("relay", SECRET), "/oauth/introspect")
            assert reply.document == {"active": False}


async def test_revoking_twice_writes_once(gateway: OAuthGateway, signer: Signer) -> None:
    token = signer.sign({"jti": "twice"})
    for _ in range(2):
        assert (await ask(gateway, token, token_type_hint="refresh_token")).status == 200
    entries = [it for it in await read_journal(gateway) if it.subject == "twice"]
    assert len(entries) == 1


async def test_a_client_cannot_revoke_the_token_of_another(
    gateway: OAuthGateway, signer: Signer
) -> None:
    token = signer.sign({"jti": "of-bff"})
    reply = await ask(gateway, token, "cart")
    assert (reply.status, reply.document["error"]) == (400, "invalid_request")
    assert (await get(gateway, token)).status == 200


async def test_what_is_unknown_or_expired_is_no_error(
    gateway: OAuthGateway, signer: Signer
) -> None:
    now, entries = int(time.time()), len(await read_journal(gateway))
    for token in (
        "abc",
        "a.b.c",
        "é",
        signer.sign({"exp": now - 60, "iat": now - 120}),
        signer.sign(header={"kid": "another"}),
        f"{signer.sign()[:-4]}AAAA",
        make_provider_token(exp=now - 60),
    ):
        reply = await ask(gateway, token)
        assert (reply.status, reply.body) == (200, b""), token
    assert len(await read_journal(gateway)) == entries


async def test_a_valid_token_of_another_kind_is_not_said_to_be_revoked(
    gateway: OAuthGateway,
) -> None:
    storage: Storage = gateway.app.state.resources[Storage]
    internal: InternalTokens = gateway.app.state.resources[InternalTokens]
    text, now = generate_text(), time.time()
    key = ApiKey(generate_id(), "printer", hash_text(text), (), now, now + 1_000)
    await storage.database.write(partial(add_key, key=key, author=Author("jane")))
    await storage.feed.refresh()
    caller = make_caller(expires_at=now + 600)
    for token in (make_provider_token(), text, internal.issue(caller, "inventory", ())):
        reply = await ask(gateway, token)
        assert (reply.status, reply.document["error"]) == (400, "unsupported_token_type")


async def test_an_api_key_is_not_looked_up(gateway: OAuthGateway) -> None:
    """That would count as its use."""
    reply = await ask(gateway, generate_text())
    assert (reply.status, reply.document["error"]) == (400, "unsupported_token_type")


async def test_a_client_must_authenticate_and_send_a_token(
    gateway: OAuthGateway, signer: Signer
) -> None:
    token = signer.sign({"jti": "kept"})
    for headers in ({}, basic("bff", "wrong"), {"Authorization": f"Bearer {token}"}):
        reply = await gateway.post({"token": token}, headers, PATH)
        assert (reply.status, reply.document["error"]) == (401, "invalid_client")
    reply = await gateway.post({}, basic("bff", SECRET), PATH)
    assert (reply.status, reply.document["error"]) == (400, "invalid_request")
    assert (await get(gateway, token)).status == 200


async def test_a_client_revokes_a_bounded_number(gateway: OAuthGateway, signer: Signer) -> None:
    first = signer.sign({"jti": "c1", "client_id": "cart", "sub": "cart"})
    assert (await ask(gateway, first, "cart")).status == 200
    limits: Limits = gateway.app.state.resources[Limits]
    rest = REVOCATIONS.rates[0].quota - 1
    demand = Demand(REVOCATIONS, f"client:{digest('cart')}", cost=rest)
    assert (await limits.enforce([demand])).admitted
    statuses = []
    for token_id in ("c1", "c2"):
        token = signer.sign({"jti": token_id, "client_id": "cart", "sub": "cart"})
        reply = await ask(gateway, token, "cart")
        statuses.append(reply.status)
    assert statuses == [200, 429]
    assert reply.header("retry-after")
    assert (await get(gateway, token)).status == 200


async def test_without_the_database_nothing_is_said_to_be_revoked(tmp_path: Path) -> None:
    async with serve_own_tokens(tmp_path) as gateway:
        token = Signer(gateway).sign({"jti": "kept"})
        assert (await get(gateway, token)).status == 200
        storage: Storage = gateway.app.state.resources[Storage]
        file = tmp_path / "lockgate.db"
        file.rename(tmp_path / "away.db")
        file.mkdir()
        storage.database.engine.dispose()
        reply = await ask(gateway, token)
        assert (reply.status, reply.document["title"]) == (503, "Database unavailable")
        assert reply.header("retry-after") == ["1"]
        assert (await get(gateway, token)).status == 200
        file.rmdir()
        (tmp_path / "away.db").rename(file)
