"""A part that is a single call needs no task; on real sockets."""

import asyncio
import gc
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import pytest

from gateway.aggregation import Composite, Part
from gateway.aggregation.executor import SMALL_BODY_BYTES, PartExecutor, compose
from gateway.request_context import RequestContext
from gateway.transport.transport import Transport
from gateway.upstream.deadline import deadline
from gateway.upstream.errors import (
    UpstreamError,
    UpstreamInvalid,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from gateway.upstream.pending import PendingCall
from gateway.upstream.propagation import propagate_headers
from tests.gateway.transport.scripted_server import OK, Peer, Script, ScriptedServer, serve_script
from tests.gateway.upstream.example_client import ExampleClient, Item

tasks_seen: list[int] = []


def fetch_one(client: ExampleClient) -> PendingCall[Item]:
    return client.get("/one", into=Item)


def fetch_other(client: ExampleClient) -> PendingCall[Item]:
    return client.get("/other", into=Item)


def fetch_posted(client: ExampleClient) -> PendingCall[Item]:
    return client.post("/one", json={}, into=Item)


def fetch_hurried(client: ExampleClient) -> PendingCall[Item]:
    return client.get("/one", timeout=0.4, into=Item)


def fetch_given(client: ExampleClient, call: object) -> PendingCall[Item]:
    assert isinstance(call, PendingCall)
    return call


def fetch_nowhere(client: ExampleClient) -> PendingCall[Item]:
    return client.get("/{nowhere}", into=Item)


class Page(Composite, budget=2):
    one: Annotated[Item, Part(fetch_one)]
    other: Annotated[Item | None, Part(fetch_other, timeout=0.2)] = None


class Both(Composite, budget=2):
    one: Annotated[Item, Part(fetch_one)]
    other: Annotated[Item, Part(fetch_other)]


class Posted(Composite, budget=2):
    one: Annotated[Item | None, Part(fetch_posted)] = None


class Hurried(Composite, budget=5):
    one: Annotated[Item | None, Part(fetch_hurried)] = None


class Twice(Composite, budget=2):
    one: Annotated[Item, Part(fetch_given)]
    other: Annotated[Item | None, Part(fetch_given)] = None


class Unserializable(Composite, budget=2):
    one: Annotated[Item, Part(fetch_one)]
    nowhere: Annotated[Item | None, Part(fetch_nowhere)] = None


def json_response(body: bytes) -> bytes:
    head = OK + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % len(body) + body


def item_response(sku: str) -> bytes:
    return json_response(b'{"sku":"%b"}' % sku.encode())


class Services:
    """Responds to `/one` and `/other` with `responses`; None means no response."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self.responses: dict[str, bytes | None] = {
            "/one": item_response("1"),
            "/other": item_response("2"),
        }
        self.closes_on, self.closes_after = "", 0.0
        self._arrived = asyncio.Event()

    async def wait_for_requests(self, times: int) -> None:
        """Wait until that many requests have arrived."""
        while len(self.requests) < times:
            self._arrived.clear()
            await self._arrived.wait()

    async def script(self, peer: Peer) -> None:
        try:
            while True:
                request = await peer.read_request()
                self.requests.append(request)
                self._arrived.set()
                tasks_seen.append(len([t for t in asyncio.all_tasks() if t.get_name() == "one"]))
                path = request.split(b" ")[1].decode()
                if path == self.closes_on:
                    self.closes_on = ""
                    await asyncio.sleep(self.closes_after)
                    return
                response = self.responses[path]
                if response is None:
                    await peer.wait_closed()
                    return
                peer.send(response)
                if len(response) > 20 and not response.endswith((b"}", b"\r\n\r\n")):
                    return  # half a response, then close
        except asyncio.IncompleteReadError:
            return


@asynccontextmanager
async def open_services() -> AsyncIterator[tuple[ExampleClient, Services, ScriptedServer]]:
    """Open a client with two connections that have been used, so that no call waits for one."""
    services = Services()
    script: Script = services.script
    async with (
        serve_script(script) as server,
        ExampleClient(server.url, transport=Transport(max_connections=2), timeout=5) as client,
    ):
        await compose(Both, {"client": client}, RequestContext())
        services.requests.clear()
        tasks_seen.clear()
        yield client, services, server


async def test_calls_need_no_task_once_there_are_connections(no_leaks: None) -> None:
    async with open_services() as (client, services, server):
        context = RequestContext()
        built = await compose(Page, {"client": client}, context)
        assert built == Page(one=Item(sku="1"), other=Item(sku="2"))
        assert tasks_seen == [0, 0]
        assert server.connections == 2
        assert [name for name, _ in context.server_timing] == ["one", "other"]
        assert len(services.requests) == 2


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (json_response(b'{"sku":7}'), "invalid"),
        (b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n", "unavailable"),
        (b"HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n", "refused"),
        (b"HTTP/1.1 2", "timeout"),
        (item_response("2")[:-1], "unavailable"),
        (None, "timeout"),
    ],
)
async def test_an_optional_call_that_fails_affects_that_part_only(
    no_leaks: None, response: bytes | None, reason: str
) -> None:
    async with open_services() as (client, services, _):
        services.responses["/other"] = response
        context = RequestContext()
        built = await compose(Page, {"client": client}, context)
        assert built.one == Item(sku="1")
        assert built.other is None
        assert [missing.reason for missing in built.degraded] == [reason]
        assert ("0.2 s given" in str(context.log_fields["degraded"])) == (reason == "timeout")


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (json_response(b"{}"), UpstreamInvalid),
        (b"HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n", UpstreamUnavailable),
    ],
)
async def test_a_required_call_that_fails_cancels_the_others_at_once(
    no_leaks: None, response: bytes, error: type[UpstreamError]
) -> None:
    async with open_services() as (client, services, server):
        services.responses |= {"/one": response, "/other": None}
        with pytest.raises(error):
            await asyncio.wait_for(compose(Both, {"client": client}, RequestContext()), 1.5)
        services.responses |= {"/one": item_response("1"), "/other": item_response("2")}
        await compose(Both, {"client": client}, RequestContext())
        assert server.connections == 3  # the connection of the hanging call was closed


async def test_a_cancelled_composition_abandons_its_calls(no_leaks: None) -> None:
    async with open_services() as (client, services, server):
        services.responses |= {"/one": None, "/other": None}
        running = asyncio.create_task(compose(Both, {"client": client}, RequestContext()))
        await services.wait_for_requests(2)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        services.responses |= {"/one": item_response("1"), "/other": item_response("2")}
        await compose(Both, {"client": client}, RequestContext())
        assert server.connections == 4


async def test_a_call_on_a_stale_connection_is_retried_unchanged(
    no_leaks: None,
) -> None:
    async with open_services() as (client, services, server):
        services.closes_on = "/one"
        with propagate_headers({"x-request-id": "of-this-request"}):
            built = await compose(Both, {"client": client}, RequestContext())
        assert built == Both(one=Item(sku="1"), other=Item(sku="2"))
        again = [request for request in services.requests if b"GET /one " in request]
        assert len(again) == 2
        assert all(b"x-request-id: of-this-request" in request for request in again)
        assert server.connections == 3


async def test_a_retried_call_has_the_remaining_time(no_leaks: None) -> None:
    async with open_services() as (client, services, _):
        services.closes_on, services.responses["/other"] = "/other", None
        built = await asyncio.wait_for(compose(Page, {"client": client}, RequestContext()), 1.5)
        assert [missing.reason for missing in built.degraded] == ["timeout"]
        assert len(services.requests) == 3


async def test_a_retried_call_keeps_the_timeout_of_its_client(no_leaks: None) -> None:
    async with open_services() as (client, services, _):
        services.closes_on, services.closes_after = "/one", 0.3
        services.responses["/one"] = None
        context = RequestContext()
        built = await compose(Hurried, {"client": client}, context)
        assert [missing.reason for missing in built.degraded] == ["timeout"]
        assert len(services.requests) == 2
        given = re.search(r"([0-9.e-]+) s given", str(context.log_fields["degraded"]))
        assert given
        assert float(given[1]) <= 0.101  # of 0.4 s, of which at least 0.3 had passed


async def test_a_call_that_is_not_idempotent_is_not_retried(no_leaks: None) -> None:
    async with open_services() as (client, services, _):
        services.closes_on = "/one"
        built = await compose(Posted, {"client": client}, RequestContext())
        assert [missing.reason for missing in built.degraded] == ["unavailable"]
        assert len(services.requests) == 1


async def test_a_client_that_closes_ends_its_calls(no_leaks: None) -> None:
    async with open_services() as (client, services, server):
        services.responses |= {"/one": None, "/other": None}
        running = asyncio.create_task(compose(Both, {"client": client}, RequestContext()))
        await services.wait_for_requests(2)
        await client.aclose()
        with pytest.raises(UpstreamUnavailable):
            await running
        assert server.connections == 2


async def test_two_parts_may_not_give_the_same_call(no_leaks: None) -> None:
    async with open_services() as (client, _, _server):
        inputs = {"client": client, "call": client.get("/one", into=Item)}
        built = await asyncio.wait_for(compose(Twice, inputs, RequestContext()), 1.5)
        assert built.one == Item(sku="1")
        assert [(m.part, m.reason) for m in built.degraded] == [("other", "error")]


async def test_no_remaining_time_is_a_timeout(no_leaks: None) -> None:
    async with open_services() as (client, services, _):
        with deadline(0), pytest.raises(UpstreamTimeout, match="no time was left"):
            await compose(Both, {"client": client}, RequestContext())
        assert services.requests == []


async def test_a_call_that_cannot_be_serialized_fails_its_part(no_leaks: None) -> None:
    async with open_services() as (client, _, server):
        built = await compose(Unserializable, {"client": client}, RequestContext())
        assert [(missing.part, missing.reason) for missing in built.degraded] == [
            ("nowhere", "error")
        ]
        await compose(Both, {"client": client}, RequestContext())
        assert server.connections == 2


async def test_a_large_response_is_read_as_it_arrives(no_leaks: None) -> None:
    async with open_services() as (client, services, _):
        sku = "A" * SMALL_BODY_BYTES
        services.responses["/other"] = item_response(sku)
        built = await compose(Page, {"client": client}, RequestContext())
        assert built.other == Item(sku=sku)


@pytest.mark.parametrize(
    "other", [item_response("2"), json_response(b"{}"), item_response("2")[:-1], None]
)
async def test_no_outcome_leaves_a_reference_cycle(no_leaks: None, other: bytes | None) -> None:
    async with open_services() as (client, services, _):
        services.responses["/other"] = other
        gc.collect()
        gc.disable()
        try:
            await compose(Page, {"client": client}, RequestContext())
            held = [it for it in gc.get_objects() if isinstance(it, PartExecutor | PendingCall)]
        finally:
            gc.enable()
        assert held == []
