"""A revoked token is refused by a gateway that runs, whatever it has kept of it."""

import asyncio
import logging
import time
from pathlib import Path

import pytest

from gateway.auth.revocation_check import RevocationCheck
from gateway.auth.revocation_index import RevocationKind
from gateway.fakes.identity_endpoints import ISSUER as DEMO_ISSUER
from gateway.revocation import revocation_replica
from gateway.settings.loader import load_settings
from gateway.settings.schema import Settings, StorageSettings
from gateway.storage.open_storage import Storage
from gateway.testing import TestGateway, lockgate
from tests.databases import create_file, upgrade_database
from tests.gateway.auth.token_factory import ISSUER
from tests.gateway.proxy.serve_proxy import ServedProxy, serve_proxy, wait_until
from tests.gateway.proxy.test_stream_end import (
    CHUNK,
    CHUNKED,
    EVENTS,
    LAST_CHUNK,
    LONG,
    PROTECTED,
    authorize,
    begin,
    stream,
    trust,
)
from tests.gateway.revocation.revoking import revoke_in
from tests.gateway.transport.scripted_server import Peer
from tests.postgresql_server import PostgresqlServer

NAMED = [
    (RevocationKind.TOKEN, DEMO_ISSUER, "t1"),
    (RevocationKind.SUBJECT, DEMO_ISSUER, "42"),
    (RevocationKind.CLIENT, DEMO_ISSUER, "app"),
    (RevocationKind.ISSUER, DEMO_ISSUER, ""),
    (RevocationKind.ISSUER, "", ""),
]
OTHERS = [
    (RevocationKind.TOKEN, DEMO_ISSUER, "t2"),
    (RevocationKind.TOKEN, "https://other.test", "t1"),
    (RevocationKind.SUBJECT, DEMO_ISSUER, "43"),
    (RevocationKind.SUBJECT, "https://other.test", "42"),
    (RevocationKind.CLIENT, DEMO_ISSUER, "other"),
    (RevocationKind.ISSUER, "https://other.test", ""),
]


def with_database(url: str) -> Settings:
    changes = {"database_url": url, "storage": StorageSettings(poll_seconds=0.05)}
    return load_settings().model_copy(update=changes)


def issue(gateway: TestGateway, **claims: object) -> str:
    now = int(time.time())
    standard = {"jti": "t1", "azp": "app", "iat": now, "exp": now + 600}
    return gateway.token("42", ["dashboard:read"], **{**standard, **claims})


async def get(gateway: TestGateway, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    return (await gateway.get("/dashboard/42", headers=headers)).status_code


async def wait_for(gateway: TestGateway, token: str, status: int) -> None:
    async with asyncio.timeout(20):
        while await get(gateway, token) != status:  # noqa: ASYNC110 - nothing sets an event
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(("kind", "issuer", "value"), NAMED)
async def test_a_token_in_the_cache_is_refused_once_it_is_revoked(
    tmp_path: Path, kind: RevocationKind, issuer: str, value: str
) -> None:
    url = create_file(tmp_path)
    async with lockgate(with_database(url)) as gateway:
        token = issue(gateway)
        await wait_for(gateway, token, 200)
        await asyncio.to_thread(revoke_in, url, kind, issuer, value)
        await wait_for(gateway, token, 401)


async def test_other_revocations_leave_a_token_valid(tmp_path: Path) -> None:
    url = create_file(tmp_path)
    for kind, issuer, value in OTHERS:
        await asyncio.to_thread(revoke_in, url, kind, issuer, value)
    async with lockgate(with_database(url)) as gateway:
        await wait_for(gateway, issue(gateway), 200)
        assert len(gateway.app.state.resources[RevocationCheck]) == len(OTHERS)


async def test_a_revocation_outlives_the_process(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "lockgate.access")
    url = create_file(tmp_path)
    await asyncio.to_thread(revoke_in, url, RevocationKind.TOKEN, DEMO_ISSUER, "t1")
    async with lockgate(with_database(url)) as gateway:
        await wait_for(gateway, issue(gateway), 401)
        await wait_for(gateway, issue(gateway, jti="t2"), 200)
    assert "a revocation names its token" in caplog.text


async def test_many_revocations_are_in_force_before_the_first_token_is_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revocation_replica, "_PAGE_SIZE", 2)
    url = create_file(tmp_path)
    for name in ("t1", "t2", "t3", "t4", "t5"):
        await asyncio.to_thread(revoke_in, url, RevocationKind.TOKEN, DEMO_ISSUER, name)
    async with lockgate(with_database(url)) as gateway:
        async with asyncio.timeout(20):
            status = 503
            while status == 503:
                await asyncio.sleep(0.001)
                status = await get(gateway, issue(gateway, jti="t5"))
        assert status == 401
        await wait_for(gateway, issue(gateway, jti="t6"), 200)
        assert len(gateway.app.state.resources[RevocationCheck]) == 5


async def test_a_token_that_lives_longer_than_a_revocation_is_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "lockgate.access")
    async with lockgate(with_database(create_file(tmp_path))) as gateway:
        await wait_for(gateway, issue(gateway), 200)
        now = int(time.time())
        assert await get(gateway, issue(gateway, exp=now + 3_000_000)) == 401
        # It has lived so long that a revocation of it may have ended.
        old = {"iat": now - 2_592_000, "exp": now + 60}
        assert await get(gateway, issue(gateway, **old)) == 401
        assert await get(gateway, issue(gateway, iat=now - 2_591_000, exp=now + 60)) == 200
    assert "tokens.max_lifetime_seconds is 2592000" in caplog.text


async def test_until_the_revocations_are_read_no_token_is_accepted(
    own_postgresql: PostgresqlServer,
) -> None:
    settings = with_database(upgrade_database(own_postgresql.create_database()))
    own_postgresql.kill()
    async with lockgate(settings) as gateway:
        assert await get(gateway, issue(gateway)) == 503
        own_postgresql.start()
        await wait_for(gateway, issue(gateway), 200)


@pytest.mark.parametrize("head", [EVENTS, CHUNKED, LONG], ids=["events", "chunked", "long"])
async def test_an_open_stream_ends_when_its_token_is_revoked(
    no_leaks: None, tmp_path: Path, caplog: pytest.LogCaptureFixture, head: bytes
) -> None:
    caplog.set_level(logging.INFO, "lockgate.access")
    url, issuers = create_file(tmp_path), [trust(tmp_path, skew=0)]
    async with serve_proxy(stream(head), PROTECTED, issuers=issuers, database_url=url) as proxy:
        await wait_until_loaded(proxy)
        caller = await begin(proxy, authorize(600))
        assert await caller.read(len(CHUNK)) == CHUNK
        await wait_until(lambda: proxy.streams.count == 1)
        await asyncio.to_thread(revoke_in, url, RevocationKind.SUBJECT, ISSUER, "42")
        rest = await caller.read(len(LAST_CHUNK)) if head is EVENTS else b""
        assert rest == (LAST_CHUNK if head is EVENTS else b"")
        await wait_until(lambda: proxy.streams.count == proxy.in_flight == 0)
    [line] = [vars(it)["fields"] for it in caplog.records if it.name == "lockgate.access"]
    assert line["error"] == "the token of the caller has been revoked"


@pytest.mark.parametrize("transport", ["lockgate", "httpx"])
async def test_an_upload_ends_when_its_token_is_revoked(
    no_leaks: None, tmp_path: Path, transport: str
) -> None:
    async def script(peer: Peer) -> None:
        await peer.read_request()
        await peer.wait_closed()

    url, issuers = create_file(tmp_path), [trust(tmp_path, skew=0)]
    service = {"transport": transport}
    async with serve_proxy(
        script, PROTECTED, issuers=issuers, service=service, database_url=url
    ) as proxy:
        await wait_until_loaded(proxy)
        caller = await proxy.connect()
        caller.get("/service/x", authorize(600), b"Content-Length: 1000000", method="PUT")
        caller.send(bytes(1_000))
        await wait_until(lambda: proxy.streams.count == 1)
        await asyncio.to_thread(revoke_in, url, RevocationKind.SUBJECT, ISSUER, "42")
        assert (await caller.read_head()).startswith(b"HTTP/1.1 401 ")
        await wait_until(lambda: proxy.streams.count == proxy.in_flight == 0)


async def test_a_request_whose_token_is_revoked_before_it_becomes_a_stream_ends(
    no_leaks: None, tmp_path: Path
) -> None:
    async def script(peer: Peer) -> None:
        await peer.read_request()
        await asyncio.to_thread(revoke_in, url, RevocationKind.SUBJECT, ISSUER, "42")
        await wait_until(lambda: len(proxy.app.state.resources[RevocationCheck]) == 1)
        peer.send(EVENTS)
        peer.send(CHUNK)
        await peer.wait_closed()

    url, issuers = create_file(tmp_path), [trust(tmp_path, skew=0)]
    async with serve_proxy(script, PROTECTED, issuers=issuers, database_url=url) as proxy:
        await wait_until_loaded(proxy)
        caller = await begin(proxy, authorize(600))
        assert LAST_CHUNK in await caller.read_until(LAST_CHUNK)
        await wait_until(lambda: proxy.streams.count == 0)


async def wait_until_loaded(proxy: ServedProxy) -> None:
    storage: Storage = proxy.app.state.resources[Storage]
    await wait_until(lambda: storage.feed.is_loaded)
