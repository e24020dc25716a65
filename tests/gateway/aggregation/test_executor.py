"""A part that is one call takes no task, and is in all else as one that does; on real sockets."""

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
from tests.gateway.transport.scripted_server import OK, Peer, Script, Scripted, scripted
from tests.gateway.upstream.example_client import Item, Shop

tasks_seen: list[int] = []


def fetch_one(shop: Shop) -> PendingCall[Item]:
    return shop.get("/one", into=Item)


def fetch_other(shop: Shop) -> PendingCall[Item]:
    return shop.get("/other", into=Item)


def fetch_posted(shop: Shop) -> PendingCall[Item]:
    return shop.post("/one", json={}, into=Item)


def fetch_hurried(shop: Shop) -> PendingCall[Item]:
    return shop.get("/one", timeout=0.4, into=Item)


def fetch_given(shop: Shop, call: object) -> PendingCall[Item]:
    assert isinstance(call, PendingCall)
    return call


def fetch_nowhere(shop: Shop) -> PendingCall[Item]:
    return shop.get("/{nowhere}", into=Item)


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


class Unwritable(Composite, budget=2):
    one: Annotated[Item, Part(fetch_one)]
    nowhere: Annotated[Item | None, Part(fetch_nowhere)] = None


def answer(body: bytes) -> bytes:
    head = OK + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % len(body) + body


def item(sku: str) -> bytes:
    return answer(b'{"sku":"%b"}' % sku.encode())


class Services:
    """Answers `/one` and `/other` as it is told; `None` is no answer at all."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self.says: dict[str, bytes | None] = {"/one": item("1"), "/other": item("2")}
        self.hangs_up_on, self.hangs_up_after = "", 0.0
        self._news = asyncio.Event()

    async def asked(self, times: int) -> None:
        """Wait until so many requests have come."""
        while len(self.requests) < times:
            self._news.clear()
            await self._news.wait()

    async def script(self, peer: Peer) -> None:
        try:
            while True:
                request = await peer.request()
                self.requests.append(request)
                self._news.set()
                tasks_seen.append(len([t for t in asyncio.all_tasks() if t.get_name() == "one"]))
                path = request.split(b" ")[1].decode()
                if path == self.hangs_up_on:
                    self.hangs_up_on = ""
                    await asyncio.sleep(self.hangs_up_after)
                    return
                said = self.says[path]
                if said is None:
                    await peer.gone()
                    return
                peer.send(said)
                if len(said) > 20 and not said.endswith((b"}", b"\r\n\r\n")):
                    return  # half an answer, and the end
        except asyncio.IncompleteReadError:
            return


@asynccontextmanager
async def page() -> AsyncIterator[tuple[Shop, Services, Scripted]]:
    """A shop with two connections that have served before, so that no call waits for one."""
    services = Services()
    script: Script = services.script
    async with (
        scripted(script) as server,
        Shop(server.url, transport=Transport(max_connections=2), timeout=5) as shop,
    ):
        await compose(Both, {"shop": shop}, RequestContext())
        services.requests.clear()
        tasks_seen.clear()
        yield shop, services, server


async def test_calls_need_no_task_once_there_are_connections(nothing_left: None) -> None:
    async with page() as (shop, services, server):
        exchange = RequestContext()
        built = await compose(Page, {"shop": shop}, exchange)
        assert built == Page(one=Item(sku="1"), other=Item(sku="2"))
        assert tasks_seen == [0, 0]
        assert server.connections == 2
        assert [name for name, _ in exchange.server_timing] == ["one", "other"]
        assert len(services.requests) == 2


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (answer(b'{"sku":7}'), "invalid"),
        (b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n", "unavailable"),
        (b"HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n", "refused"),
        (b"HTTP/1.1 2", "timeout"),
        (item("2")[:-1], "unavailable"),
        (None, "timeout"),
    ],
)
async def test_an_optional_call_that_fails_costs_that_part_only(
    nothing_left: None, said: bytes | None, reason: str
) -> None:
    async with page() as (shop, services, _):
        services.says["/other"] = said
        exchange = RequestContext()
        built = await compose(Page, {"shop": shop}, exchange)
        assert built.one == Item(sku="1")
        assert built.other is None
        assert [missing.reason for missing in built.degraded] == [reason]
        assert ("0.2 s given" in str(exchange.log_fields["degraded"])) == (reason == "timeout")


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (answer(b"{}"), UpstreamInvalid),
        (b"HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n", UpstreamUnavailable),
    ],
)
async def test_a_required_call_that_fails_ends_the_others_at_once(
    nothing_left: None, said: bytes, error: type[UpstreamError]
) -> None:
    async with page() as (shop, services, server):
        services.says |= {"/one": said, "/other": None}
        with pytest.raises(error):
            await asyncio.wait_for(compose(Both, {"shop": shop}, RequestContext()), 1.5)
        services.says |= {"/one": item("1"), "/other": item("2")}
        await compose(Both, {"shop": shop}, RequestContext())
        assert server.connections == 3  # what the hanging call had was closed


async def test_a_cancelled_composition_abandons_its_calls(nothing_left: None) -> None:
    async with page() as (shop, services, server):
        services.says |= {"/one": None, "/other": None}
        running = asyncio.create_task(compose(Both, {"shop": shop}, RequestContext()))
        await services.asked(2)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        services.says |= {"/one": item("1"), "/other": item("2")}
        await compose(Both, {"shop": shop}, RequestContext())
        assert server.connections == 4


async def test_a_call_whose_connection_was_closed_is_made_again_as_it_was(
    nothing_left: None,
) -> None:
    async with page() as (shop, services, server):
        services.hangs_up_on = "/one"
        with propagate_headers({"x-request-id": "of-this-request"}):
            built = await compose(Both, {"shop": shop}, RequestContext())
        assert built == Both(one=Item(sku="1"), other=Item(sku="2"))
        again = [request for request in services.requests if b"GET /one " in request]
        assert len(again) == 2
        assert all(b"x-request-id: of-this-request" in request for request in again)
        assert server.connections == 3


async def test_a_call_made_again_has_what_is_left_of_its_time(nothing_left: None) -> None:
    async with page() as (shop, services, _):
        services.hangs_up_on, services.says["/other"] = "/other", None
        built = await asyncio.wait_for(compose(Page, {"shop": shop}, RequestContext()), 1.5)
        assert [missing.reason for missing in built.degraded] == ["timeout"]
        assert len(services.requests) == 3


async def test_a_call_made_again_keeps_the_time_of_its_client(nothing_left: None) -> None:
    async with page() as (shop, services, _):
        services.hangs_up_on, services.hangs_up_after = "/one", 0.3
        services.says["/one"] = None
        exchange = RequestContext()
        built = await compose(Hurried, {"shop": shop}, exchange)
        assert [missing.reason for missing in built.degraded] == ["timeout"]
        assert len(services.requests) == 2
        given = re.search(r"([0-9.e-]+) s given", str(exchange.log_fields["degraded"]))
        assert given
        assert float(given[1]) <= 0.101  # of 0.4, when at least 0.3 had gone


async def test_what_may_not_be_sent_twice_is_not(nothing_left: None) -> None:
    async with page() as (shop, services, _):
        services.hangs_up_on = "/one"
        built = await compose(Posted, {"shop": shop}, RequestContext())
        assert [missing.reason for missing in built.degraded] == ["unavailable"]
        assert len(services.requests) == 1


async def test_a_client_that_closes_ends_its_calls(nothing_left: None) -> None:
    async with page() as (shop, services, server):
        services.says |= {"/one": None, "/other": None}
        running = asyncio.create_task(compose(Both, {"shop": shop}, RequestContext()))
        await services.asked(2)
        await shop.aclose()
        with pytest.raises(UpstreamUnavailable):
            await running
        assert server.connections == 2


async def test_two_parts_may_not_give_the_same_call(nothing_left: None) -> None:
    async with page() as (shop, _, _server):
        inputs = {"shop": shop, "call": shop.get("/one", into=Item)}
        built = await asyncio.wait_for(compose(Twice, inputs, RequestContext()), 1.5)
        assert built.one == Item(sku="1")
        assert [(m.part, m.reason) for m in built.degraded] == [("other", "error")]


async def test_no_time_left_is_a_time_out(nothing_left: None) -> None:
    async with page() as (shop, services, _):
        with deadline(0), pytest.raises(UpstreamTimeout, match="no time was left"):
            await compose(Both, {"shop": shop}, RequestContext())
        assert services.requests == []


async def test_a_call_that_cannot_be_written_fails_its_part(nothing_left: None) -> None:
    async with page() as (shop, _, server):
        built = await compose(Unwritable, {"shop": shop}, RequestContext())
        assert [(missing.part, missing.reason) for missing in built.degraded] == [
            ("nowhere", "error")
        ]
        await compose(Both, {"shop": shop}, RequestContext())
        assert server.connections == 2


async def test_a_large_answer_is_read_when_it_comes(nothing_left: None) -> None:
    async with page() as (shop, services, _):
        sku = "A" * SMALL_BODY_BYTES
        services.says["/other"] = item(sku)
        built = await compose(Page, {"shop": shop}, RequestContext())
        assert built.other == Item(sku=sku)


@pytest.mark.parametrize("other", [item("2"), answer(b"{}"), item("2")[:-1], None])
async def test_nothing_is_left_for_the_collector(nothing_left: None, other: bytes | None) -> None:
    async with page() as (shop, services, _):
        services.says["/other"] = other
        gc.collect()
        gc.disable()
        try:
            await compose(Page, {"shop": shop}, RequestContext())
            held = [it for it in gc.get_objects() if isinstance(it, PartExecutor | PendingCall)]
        finally:
            gc.enable()
        assert held == []
