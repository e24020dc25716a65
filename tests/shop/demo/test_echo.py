"""The echo service shows the request that arrives, sends events, and echoes WebSocket messages."""

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from gateway.fakes.dials import add_dials
from gateway.fakes.identity_provider import DevelopmentIssuer
from gateway.fakes.serve_fakes import serve_fakes
from tests.shop.demo.in_process import SERVICES, get


async def test_any_method_and_path_is_shown() -> None:
    transport = httpx.ASGITransport(SERVICES["echo"])
    async with httpx.AsyncClient(transport=transport, base_url="http://demo") as http:
        response = await http.request("PURGE", "/a/b?c=d", content=b"x" * 5_000)
    shown = response.json()
    assert (shown["method"], shown["path"], shown["query"]) == ("PURGE", "/a/b", "c=d")
    assert shown["headers"]["host"] == "demo"
    assert (shown["body"], shown["body_bytes"]) == ("x" * 4_096, 5_000)
    assert shown["identity"] is None


@pytest.mark.parametrize("authorization", ["", "Bearer x", "Bearer a.b.c", "Basic Zm9v"])
async def test_an_authorization_without_a_token_shows_no_identity(authorization: str) -> None:
    transport = httpx.ASGITransport(SERVICES["echo"])
    async with httpx.AsyncClient(transport=transport, base_url="http://demo") as http:
        response = await http.get("/", headers={"Authorization": authorization})
    assert response.json()["identity"] is None


async def test_the_claims_of_a_token_are_shown() -> None:
    transport = httpx.ASGITransport(SERVICES["echo"])
    token = DevelopmentIssuer().issue_token("42", audience="echo")
    async with httpx.AsyncClient(transport=transport, base_url="http://demo") as http:
        response = await http.get("/", headers={"Authorization": f"Bearer {token}"})
    assert response.json()["identity"].items() >= {"sub": "42", "aud": "echo"}.items()


async def test_events_are_numbered() -> None:
    response = await get("echo", "/events?count=2&interval_ms=0")
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.text == (
        'id: 1\ndata: {"number":1,"of":2}\n\nid: 2\ndata: {"number":2,"of":2}\n\n'
    )


@pytest.mark.parametrize("query", ["count=1001", "count=-1", "count=x", "interval_ms=60001"])
async def test_a_number_out_of_bounds_is_refused(query: str) -> None:
    assert (await get("echo", f"/events?{query}")).status_code == 422


async def test_messages_come_back_in_order_until_the_client_closes() -> None:
    apps = add_dials({name: SERVICES[name] for name in ("echo", "users")}, latency_ms=0)
    async with serve_fakes(apps, ports={}) as urls:
        socket = urls["echo"].replace("http:", "ws:") + "/socket"
        async with connect(
            socket, subprotocols=[Subprotocol("a"), Subprotocol("b")], proxy=None
        ) as websocket:
            for message in ("one", b"\x00two", "x" * 100_000, ""):
                await websocket.send(message)
                assert await websocket.recv() == message
            assert websocket.subprotocol == "a"
        assert websocket.close_code == 1000
        with pytest.raises(InvalidStatus, match="403"):
            await connect(urls["users"].replace("http:", "ws:") + "/users/7", proxy=None)
