"""On sockets: a request under a concurrency limit holds its lease until it ends in any way."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from fastapi import APIRouter, BackgroundTasks, Body, HTTPException
from fastapi.responses import StreamingResponse
from pydantic import HttpUrl

from gateway.app import build_app
from gateway.app_loader import Application
from gateway.auth.dependencies import public
from gateway.proxy.declaration.proxy import Proxy
from gateway.ratelimit import ConcurrencyLimit, limited
from gateway.ratelimit.limits import Limits
from gateway.server.lifecycle import open_server
from gateway.settings.schema import Counters, Server, Service, Settings
from tests.gateway.proxy.serve_proxy import Caller, wait_until
from tests.gateway.proxy.websocket.open_tunnel import ACCEPTED, HANDSHAKE
from tests.gateway.transport.scripted_server import OK, Peer, serve_script
from tests.redis_server import RedisServer

CALLS = ConcurrencyLimit("calls", 1, per="address")
GUARDS = [public("a test"), limited(CALLS)]
PROXY = Proxy(
    "/service/{path:path}", to="service", public="a test", identity="none", limit=CALLS,
    websocket=True,
)  # fmt: skip
router = APIRouter(dependencies=GUARDS)
work: list[asyncio.Event] = []


@router.get("/plain")
async def get_plain() -> str:
    """Respond."""
    return "done"


@router.get("/failure")
async def get_failure() -> str:
    """Fail unexpectedly."""
    raise RuntimeError("a bug")


@router.get("/error")
async def get_error() -> str:
    """Fail as declared."""
    raise HTTPException(404)


@router.get("/wait")
async def get_wait() -> None:
    """Never respond."""
    await asyncio.Event().wait()


@router.get("/background")
async def get_background(tasks: BackgroundTasks) -> str:
    """Respond, and work on."""
    tasks.add_task(work[-1].wait)
    return "done"


@router.post("/body")
async def post_body(body: dict[str, str] = Body()) -> dict[str, str]:  # noqa: B008
    """Read a body."""
    return body


@router.get("/events")
async def get_events() -> StreamingResponse:
    """Send events without end."""

    async def send() -> AsyncIterator[str]:
        while True:
            yield "data: 1\n\n"
            await asyncio.sleep(0.01)

    return StreamingResponse(send(), media_type="text/event-stream")


async def run_service(peer: Peer) -> None:
    """Respond as the path says, and read on."""
    head = await peer.read_request()
    path = head.split(b" ", 2)[1]
    if path == b"/events":
        peer.send(OK + b"Content-Type: text/event-stream\r\n\r\ndata: 1\n\n")
    elif path == b"/chat":
        peer.send(ACCEPTED)
    if path != b"/gone":
        await peer.wait_closed()


class Gateway:
    """A running gateway; each method sends requests to it."""

    def __init__(self, port: int, limits: Limits) -> None:
        self.port = port
        self.leases = limits.leases
        self.callers: list[Caller] = []

    async def open(self, head: bytes) -> Caller:
        """Send the head of a request on a connection of its own."""
        caller = Caller(*await asyncio.open_connection("127.0.0.1", self.port))
        self.callers.append(caller)
        caller.send(head)
        return caller

    async def hold(self, head: bytes) -> Caller:
        """Send the head of a request, and wait until it holds its lease."""
        caller = await self.open(head)
        await wait_until(lambda: len(self.leases) == 1)
        return caller

    async def get_head(self, path: str = "/plain") -> bytes:
        """Send a request, and return the head of its response."""
        caller = await self.open(get(path))
        return await caller.read_head()


def get(path: str) -> bytes:
    """Return the head of a GET request."""
    return b"GET %b HTTP/1.1\r\nHost: gateway\r\n\r\n" % path.encode()


@asynccontextmanager
async def serve(redis_url: str | None = None) -> AsyncIterator[Gateway]:
    """Serve the routes of this module, and those of a service."""
    async with serve_script(run_service) as service:
        settings = Settings(
            server=Server(host="127.0.0.1", port=0, shutdown_seconds=1),
            upstreams={"service": Service(url=HttpUrl(service.url), timeout=5)},
            redis_url=redis_url,
            counters=Counters(timeout_ms=1_000),
        )
        app = build_app(settings, Application(routers=[router], proxies=[PROXY]))
        async with open_server(app, settings.server) as server:
            port = int(server.url.rpartition(":")[2])
            gateway = Gateway(port, app.state.resources[Limits])
            try:
                yield gateway
            finally:
                for caller in gateway.callers:
                    caller.writer.transport.abort()


async def respond(gateway: Gateway) -> None:
    """The response is complete, on a connection that stays open for the next request."""
    caller = await gateway.open(get("/plain") * 3)
    for _ in range(3):
        assert (await caller.read_head()).startswith(b"HTTP/1.1 200")
        await caller.read(6)


async def fail(gateway: Gateway) -> None:
    """The app raises."""
    assert (await gateway.get_head("/failure")).startswith(b"HTTP/1.1 500")
    assert (await gateway.get_head("/error")).startswith(b"HTTP/1.1 404")


async def leave_before_the_response(gateway: Gateway) -> None:
    """The client goes away, and the server cancels the request."""
    caller = await gateway.hold(get("/wait"))
    caller.writer.transport.abort()


async def leave_in_the_body(gateway: Gateway) -> None:
    """The client goes away before it has sent its body, which a guard has not waited for."""
    head = b"POST /body HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\n"
    caller = await gateway.hold(head + b"Content-Length: 100\r\n\r\n{")
    caller.writer.transport.abort()


async def leave_an_event_stream(gateway: Gateway) -> None:
    """The client goes away in a stream."""
    caller = await gateway.hold(get("/events"))
    await caller.read_until(b"data: 1\n\n")
    caller.writer.transport.abort()


async def leave_a_proxied_stream(gateway: Gateway) -> None:
    """The client goes away in the response of a service."""
    caller = await gateway.hold(get("/service/events"))
    await caller.read_until(b"data: 1\n\n")
    caller.writer.transport.abort()


async def leave_a_proxied_websocket(gateway: Gateway) -> None:
    """The client goes away in a tunnel."""
    caller = await gateway.hold(HANDSHAKE)
    assert (await caller.read_head()).startswith(b"HTTP/1.1 101")
    caller.writer.transport.abort()


async def lose_the_service(gateway: Gateway) -> None:
    """The service closes the connection without a response."""
    assert (await gateway.get_head("/service/gone")).startswith(b"HTTP/1.1 503")


async def work_on_after_the_response(gateway: Gateway) -> None:
    """The background tasks end."""
    work.append(asyncio.Event())
    assert (await gateway.get_head("/background")).startswith(b"HTTP/1.1 200")
    assert len(gateway.leases) == 1
    work[-1].set()


ENDS = (
    respond,
    fail,
    leave_before_the_response,
    leave_in_the_body,
    leave_an_event_stream,
    leave_a_proxied_stream,
    leave_a_proxied_websocket,
    lose_the_service,
    work_on_after_the_response,
)


async def require_release(gateway: Gateway, end: Callable[[Gateway], Awaitable[None]]) -> None:
    """Let a request end, and require that the next one is admitted."""
    await end(gateway)
    await wait_until(lambda: not gateway.leases)
    assert (await gateway.get_head()).startswith(b"HTTP/1.1 200"), end.__name__
    await wait_until(lambda: not gateway.leases)


async def wait_for_held_keys(redis: RedisServer, number: int) -> None:
    """Wait until Redis holds so many leases: the gateway sends them on another connection."""
    await wait_until(lambda: redis.command("KEYS", "*held*") == f"*{number}")


async def test_each_end_releases_the_lease_in_process(no_leaks: None) -> None:
    async with serve() as gateway:
        for end in ENDS:
            await require_release(gateway, end)


@pytest.mark.redis
async def test_each_end_releases_the_lease_in_redis(
    redis_server: RedisServer, no_leaks: None
) -> None:
    async with serve(redis_server.url) as gateway:
        for end in ENDS:
            await require_release(gateway, end)
        await wait_for_held_keys(redis_server, 0)


async def test_a_second_request_is_refused_while_the_first_one_runs() -> None:
    async with serve() as gateway:
        await gateway.hold(get("/events"))
        head = await gateway.get_head()
        assert head.startswith(b"HTTP/1.1 429")
        assert b'\r\nratelimit-policy: "calls";q=1;qu="concurrent-requests"\r\n' in head
        assert b'\r\nratelimit: "calls";r=0\r\n' in head
        assert b"\r\nretry-after: 1\r\n" in head.lower()


async def test_a_shutdown_releases_the_leases(redis_server: RedisServer) -> None:
    async with serve(redis_server.url) as gateway:
        caller = await gateway.hold(get("/wait"))
        await wait_for_held_keys(redis_server, 1)
        gateway.callers.clear()  # it stays connected
    await wait_for_held_keys(redis_server, 0)
    caller.writer.transport.abort()
    await asyncio.sleep(0)
