"""The gateway as a real browser meets it: `make browser`.

These tests need Chromium, npm and its registry. Without them they are skipped, with the reason.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter
from pydantic import BaseModel
from websockets.asyncio.server import ServerConnection

from gateway.app_loader import load_application
from gateway.auth import public
from gateway.proxy import Proxy
from gateway.settings.loader import load_settings
from gateway.testing import lockgate
from gateway.upstream.errors import UpstreamUnavailable
from tests.browser.scripts import TIMEOUT_SECONDS, run_script, serve_page
from tests.gateway.proxy.websocket.open_tunnel import open_tunnels
from tests.gateway.server.serve_app import serve_app
from tests.running_demo import FAST, run_demo

QUOTA = 3

pytestmark = [pytest.mark.browser, pytest.mark.timeout(2 * TIMEOUT_SECONDS)]

router = APIRouter(dependencies=[public("a test")])

PROXIES = [
    Proxy("/files/{path:path}", to="files", public="a test", methods=["GET"]),
    Proxy("/parts/{name}", to="files", public="a test", methods=["GET"], encoded_slashes=True),
]


class Note(BaseModel):
    text: str


@router.post("/notes")
async def post_note(note: Note) -> Note:
    return note


@router.get("/failed")
async def fail() -> None:
    raise RuntimeError("unexpected")


@router.get("/unavailable")
async def be_unavailable() -> None:
    raise UpstreamUnavailable("orders", "GET /orders")


@router.get("/healthy")
async def be_healthy() -> dict[str, str]:
    return {}


@router.get("/hang")
async def hang() -> None:
    await asyncio.Event().wait()


@asynccontextmanager
async def open_gateway(monkeypatch: pytest.MonkeyPatch, **server: object) -> AsyncIterator[Any]:
    """Serve the sample application with further routes; yield it and its port."""
    monkeypatch.setenv("LOCKGATE_APP__PACKAGE", "tests.sample")
    monkeypatch.setenv("LOCKGATE_LIMITS__DASHBOARDS", f"{QUOTA}/minute")
    for name, value in server.items():
        monkeypatch.setenv(f"LOCKGATE_SERVER__{name.upper()}", str(value))
    settings = load_settings()
    application = load_application(settings.app)
    routers = [*application.routers, router]
    application = replace(application, routers=routers, proxies=PROXIES)
    async with (
        lockgate(settings, application=application) as gateway,
        serve_app(gateway.app) as port,
    ):
        yield gateway, port


async def test_a_page_of_another_origin(
    chromium: str, scripts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serve_app(serve_page) as page:
        origins = [f"http://localhost:{page}", f"http://*.example.localhost:{page}"]
        opened = open_gateway(monkeypatch, cors_origins=json.dumps(origins), max_in_flight=4)
        async with opened as (gateway, port):
            seen = await run_script(
                scripts,
                "cross_origin.mjs",
                chromium=chromium,
                gateway=f"http://127.0.0.1:{port}",
                token=gateway.token("42", ["dashboard:read"]),
                pages={
                    "allowed": f"http://localhost:{page}/",
                    "subdomain": f"http://app.example.localhost:{page}/",
                    "other": f"http://evil.localhost:{page}/",
                },
            )
    print(json.dumps(seen, indent=1))
    check_dashboard(seen["allowed"])
    check_problems(seen["allowed"])
    assert seen["allowed"]["credentials"] == seen["allowed"]["header"] == {"refused": "TypeError"}
    assert seen["subdomain"]["health"]["status"] == 200
    assert seen["subdomain"]["dashboard"]["status"] == 429
    assert seen["other"] == {
        "dashboard": {"refused": "TypeError"},
        "health": {"refused": "TypeError"},
    }


def check_dashboard(seen: dict[str, Any]) -> None:
    """The page reads the dashboard, the header fields of the rate limit, and the timings."""
    first = seen["dashboard"]
    assert (first["status"], first["body"]["profile"]["id"]) == (200, 42)
    assert first["headers"]["ratelimit"].startswith(f'"dashboards";r={QUOTA - 1};')
    assert seen["again"]["headers"]["ratelimit"].startswith(f'"dashboards";r={QUOTA - 2};')
    assert seen["head"]["headers"]["ratelimit"].startswith(f'"dashboards";r={QUOTA - 3};')
    assert first["headers"]["ratelimit-policy"]
    assert first["headers"]["x-request-id"]
    assert first["headers"]["server-timing"]
    for timing in (first["timing"], seen["again"]["timing"]):
        assert timing["request"]
        assert timing["size"] > 0
        assert [name for name, _ in timing["server"]] == ["profile", "orders"]
    assert (seen["head"]["status"], seen["head"]["body"]) == (200, None)


def check_problems(seen: dict[str, Any]) -> None:
    """The page reads the problem document of every error, and its header fields."""
    for key, status, title in [
        ("unauthenticated", 401, "Unauthenticated"),
        ("expired", 401, "Unauthenticated"),
        ("forbidden", 403, "Forbidden"),
        ("unknown", 404, "Not Found"),
        ("method", None, None),
        ("large", 413, "Content too large"),
        ("exceeded", 429, "Quota exceeded"),
        ("failed", 500, "Internal error"),
        ("unavailable", 503, "Upstream unavailable"),
        ("overloaded", 503, "Overloaded"),
    ]:
        result = seen[key]
        if status is None:
            assert result == {"refused": "TypeError"}  # the preflight does not allow the method
            continue
        assert result["status"] == status, key
        assert result["body"]["title"] == title
        assert result["body"]["instance"] == result["headers"]["x-request-id"]
    assert int(seen["exceeded"]["headers"]["retry-after"]) > 0
    assert int(seen["overloaded"]["headers"]["retry-after"]) > 0
    assert "Bearer" in seen["unauthenticated"]["headers"]["www-authenticate"]


async def test_a_page_calls_a_proxied_service_and_listens_to_its_events(
    chromium: str, scripts: Path
) -> None:
    async with serve_app(serve_page) as port:
        page = f"http://localhost:{port}"
        settings = FAST | {"LOCKGATE_SERVER__CORS_ORIGINS": json.dumps([page])}
        with contextmanager(run_demo)(settings) as demo:
            options = {"gateway": demo.url, "token": demo.token, "page": f"{page}/"}
            seen = await run_script(scripts, "proxied.mjs", chromium=chromium, **options)
    print(json.dumps(seen, indent=1))
    check_echo(seen["echo"])
    assert (seen["refused"]["status"], seen["refused"]["body"]["title"]) == (401, "Unauthenticated")
    stream = seen["stream"]
    assert (stream["status"], stream["type"]) == (200, "text/event-stream; charset=utf-8")
    assert [piece.partition("\n")[0] for piece in stream["pieces"]] == ["id: 1", "id: 2", "id: 3"]
    first = {"events": [["1", 1], ["2", 2], ["3", 3]], "refused": False}
    refused = {"events": [], "refused": True}
    assert seen["withTicket"] == {"first": first, "again": refused}
    assert seen["withoutTicket"] == {"first": refused, "again": refused}
    assert [text.rpartition("status of ")[2] for text in seen["complaints"]] == [
        "401 (Unauthorized)"
    ] * 4


def check_echo(seen: dict[str, Any]) -> None:
    """The service gets the body and the internal token; the page reads the request id."""
    shown = seen["body"]
    assert (seen["status"], shown["method"], shown["path"]) == (200, "PUT", "/upload")
    assert (shown["query"], shown["body_bytes"]) == ("a=1", 100_000)
    assert (shown["identity"]["aud"], shown["identity"]["user_id"]) == ("echo", "42")
    assert shown["headers"]["x-request-id"] == seen["id"]


@pytest.mark.parametrize("root_path", ["", "/api/v1"])
async def test_the_page_of_the_api_needs_no_other_host(
    chromium: str, scripts: Path, monkeypatch: pytest.MonkeyPatch, root_path: str
) -> None:
    async with open_gateway(monkeypatch, root_path=root_path) as (gateway, port):
        gateway.service("files").answers({})
        base = f"http://127.0.0.1:{port}{root_path}"
        seen = await run_script(
            scripts,
            "docs.mjs",
            chromium=chromium,
            url=f"{base}/docs",
            token=gateway.token("42", ["dashboard:read"]),
            screenshot=os.environ.get("SCREENSHOT", ""),
        )
    assert seen["complaints"] == []
    assert (seen["title"], seen["status"], seen["ran"]) == ("Lockgate", "200", False)
    assert all(url.startswith(f"{base}/") for url in seen["requested"])
    assert f"{base}/dashboard/42?limit=10" in seen["requested"]
    assert (seen["proxied"], seen["escaped"]) == ("200", "200")
    assert f"{base}/files/a/b%20c/%3Fd" in seen["requested"]
    assert f"{base}/parts/a%2Fb" in seen["requested"]


left_open = asyncio.Event()


async def greet(connection: ServerConnection) -> None:
    """A service that sends messages back, and ends the connection after `bye`."""
    async for message in connection:
        await connection.send(message)
        if message == "left open":
            left_open.set()
        if message == "bye":
            await connection.close(4321, "bye")


async def test_websockets_of_pages_of_several_origins(chromium: str, scripts: Path) -> None:
    async with serve_app(serve_page) as page:
        server = {"cors_origins": [f"http://localhost:{page}"]}
        options = {"subprotocols": ["v2", "v1"]}
        async with open_tunnels(greet, options=options, server=server) as served:
            running = asyncio.create_task(
                run_script(
                    scripts,
                    "websocket.mjs",
                    chromium=chromium,
                    gateway=f"ws://127.0.0.1:{served.port}/service/chat",
                    pages={
                        "allowed": f"http://localhost:{page}/",
                        "other": f"http://evil.localhost:{page}/",
                    },
                )
            )
            await asyncio.wait_for(left_open.wait(), TIMEOUT_SECONDS)
            served.shutdown()
            seen = await running
    print(json.dumps(seen, indent=1))
    allowed = seen["allowed"]
    assert allowed["protocol"] == "v2"
    assert allowed["extensions"].startswith("permessage-deflate")
    assert allowed["received"] == ["hi", 100_000, "bye"]
    assert allowed["closed"] == {"code": 4321, "reason": "bye", "wasClean": True}
    assert allowed["stopped"] == {"code": 1001, "reason": "the gateway stops", "wasClean": True}
    assert seen["other"] == {"closed": {"code": 1006, "reason": "", "wasClean": False}}
