"""WebSockets that a page opens with a ticket, from real tokens to the end of their validity."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus

from gateway.auth.revocation_index import RevocationKind
from gateway.settings.schema import Issuer
from gateway.storage.open_storage import Storage
from tests.databases import create_file
from tests.gateway.auth.token_factory import (
    AUDIENCE,
    ISSUER,
    encode_jwk_set,
    get_signing_key,
    make_token,
)
from tests.gateway.proxy.websocket.open_tunnel import PROXY, ServedTunnels, echo, open_tunnels
from tests.gateway.revocation.revoking import revoke_in

GUARDED = replace(PROXY, public=None, requires="dashboard:read", tickets=True)


@pytest.fixture
def issuer(tmp_path: Path) -> Issuer:
    keys = tmp_path / "jwks.json"
    keys.write_bytes(encode_jwk_set(get_signing_key("ES256").jwk()))
    return Issuer(issuer=ISSUER, audience=AUDIENCE, jwks_file=keys)


def sign(seconds: float) -> str:
    """Sign a token that expires in so many seconds."""
    return make_token({"exp": time.time() + seconds}, key=get_signing_key("ES256"))


async def fetch_ticket(served: ServedTunnels, token: str, path: str = "/service/chat") -> str:
    url = f"http://127.0.0.1:{served.port}/auth/tickets"
    async with httpx.AsyncClient(trust_env=False) as client:
        fields = {"Authorization": f"Bearer {token}"}
        response = await client.post(url, json={"path": path}, headers=fields)
    ticket: str = response.json()["ticket"]
    return ticket


async def test_a_page_opens_a_websocket_with_a_ticket_once(
    no_leaks: None, issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    targets = list[str]()

    async def record(connection: ServerConnection) -> None:
        assert connection.request is not None
        targets.append(connection.request.path)
        await echo(connection)

    caplog.set_level("INFO", "lockgate")
    async with open_tunnels(record, proxies=[GUARDED], issuers=[issuer]) as served:
        page = f"http://127.0.0.1:{served.port}"
        ticket = await fetch_ticket(served, sign(60))
        target = f"/service/chat?room=1&ticket={ticket}&b"
        async with served.connect(target, origin=page) as client:
            await client.send("hello")
            assert await client.recv() == "hello"
        with pytest.raises(InvalidStatus) as refused:
            await served.connect(target, origin=page)
        assert refused.value.response.status_code == 401
        with pytest.raises(InvalidStatus) as refused:
            await served.connect(origin=page)
        assert refused.value.response.status_code == 401
        ticket = await fetch_ticket(served, sign(60))
        with pytest.raises(InvalidStatus) as refused:
            await served.connect(f"/service/other?ticket={ticket}", origin=page)
        assert refused.value.response.status_code == 401
        await served.wait_for_end()
    assert targets == ["/chat?room=1&b"]
    lines = [record.__dict__["fields"] for record in caplog.records]
    assert ticket not in str(lines)
    [closed] = [r.__dict__["fields"] for r in caplog.records if r.msg == "websocket.closed"]
    assert (closed["caller"], closed["issuer"]) == ("u1", ISSUER)


async def test_the_end_of_the_token_closes_with_1008(no_leaks: None, issuer: Issuer) -> None:
    codes = list[int | None]()

    async def record(connection: ServerConnection) -> None:
        await echo(connection)
        codes.append(connection.close_code)

    exact = issuer.model_copy(update={"clock_skew_seconds": 0.0})
    async with open_tunnels(record, proxies=[GUARDED], issuers=[exact]) as served:
        token = sign(1.2)
        ticket = await fetch_ticket(served, token)
        by_ticket = await served.connect(f"/service/chat?ticket={ticket}")
        fields = {"Authorization": f"Bearer {token}"}
        by_token = await served.connect(additional_headers=fields)
        for client in (by_ticket, by_token):
            await client.send("before")
            assert await client.recv() == "before"
        for client in (by_ticket, by_token):
            with pytest.raises(ConnectionClosed):
                await client.recv()
            assert client.close_code == 1008
            assert client.close_reason == "the token of the caller has expired"
        await served.wait_for_end()
    assert codes == [1008, 1008]


async def test_a_websocket_outlives_the_token_if_its_route_says_so(
    no_leaks: None, issuer: Issuer
) -> None:
    proxied = replace(GUARDED, outlive_token=True)
    exact = issuer.model_copy(update={"clock_skew_seconds": 0.0})
    async with open_tunnels(echo, proxies=[proxied], issuers=[exact]) as served:
        fields = {"Authorization": f"Bearer {sign(0.5)}"}
        async with served.connect(additional_headers=fields) as client:
            await asyncio.sleep(0.7)
            await client.send("after")
            assert await client.recv() == "after"
        await served.wait_for_end()


async def test_a_revocation_closes_with_1008(
    no_leaks: None, issuer: Issuer, tmp_path: Path
) -> None:
    url = create_file(tmp_path)
    async with open_tunnels(echo, proxies=[GUARDED], issuers=[issuer], database_url=url) as served:
        storage: Storage = served.app.state.resources[Storage]
        async with asyncio.timeout(20):
            while not storage.feed.is_loaded:  # noqa: ASYNC110 - nothing sets an event
                await asyncio.sleep(0.01)
        token = sign(600)
        unused = await fetch_ticket(served, token)
        by_ticket = await served.connect(
            f"/service/chat?ticket={await fetch_ticket(served, token)}"
        )
        by_token = await served.connect(additional_headers={"Authorization": f"Bearer {token}"})
        await asyncio.to_thread(revoke_in, url, RevocationKind.SUBJECT, ISSUER, "u1")
        for client in (by_ticket, by_token):
            with pytest.raises(ConnectionClosed):
                await client.recv()
            assert client.close_code == 1008
            assert client.close_reason == "the token of the caller has been revoked"
        with pytest.raises(InvalidStatus) as refused:
            await served.connect(f"/service/chat?ticket={unused}")
        assert refused.value.response.status_code == 401
        await served.wait_for_end()
