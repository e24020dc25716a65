"""No way of making a call leaves a reference cycle, whatever the outcome and the policies."""

import asyncio
import gc
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Annotated

import httpx
import pytest

from gateway.aggregation import Composite, Part
from gateway.aggregation.executor import PartExecutor, compose
from gateway.request_context import RequestContext
from gateway.upstream import Call, CallPolicy, PendingCall, UpstreamError, UpstreamProblem
from tests.gateway.transport.scripted_server import Peer, serve_script
from tests.gateway.upstream.example_client import ExampleClient, Item
from tests.gateway.upstream.test_call_lifecycle import (
    CUT_OFF,
    FAILED,
    ITEM,
    Optional,
    Transparent,
    begin,
    fetch,
    load_page,
    retry,
    settle,
)

pytestmark = pytest.mark.usefixtures("no_leaks")

KINDS = (PartExecutor, PendingCall, UpstreamError, Call, httpx.Response)


@contextmanager
def nothing_for_the_collector() -> Iterator[None]:
    """Fail if an object of KINDS outlives the block, where the garbage collector does not run."""
    gc.disable()
    gc.freeze()  # `get_objects` leaves out what exists already
    try:
        yield
        described = [repr(it) for it in gc.get_objects() if isinstance(it, KINDS)]
    finally:
        gc.enable()
    assert described == []


async def fetch_in_a_task(shop: ExampleClient) -> None:
    call, completed = begin(shop, 0.2)
    async with asyncio.timeout(60):
        while not completed:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    call.result()


async def forget_an_outcome(shop: ExampleClient) -> None:
    _, completed = begin(shop, 0.2)
    async with asyncio.timeout(60):
        while not completed:  # noqa: ASYNC110
            await asyncio.sleep(0.001)


async def load_optional(shop: ExampleClient) -> None:
    await compose(Optional, {"shop": shop}, RequestContext())


async def open_stream(shop: ExampleClient) -> None:
    async with shop.stream("GET", "/", idle_timeout=0.1) as response:
        async for _ in response:
            pass


async def leave_stream(shop: ExampleClient) -> None:
    async with shop.stream("GET", "/") as response:
        await anext(response)


class Declared(UpstreamProblem, status=409):
    """A refusal with an outcome."""


def fetch_declared(shop: ExampleClient) -> PendingCall[Item | None]:
    return shop.get("/", into=Item).or_none(404).or_raise(Declared)


class DeclaredPage(Composite):
    item: Annotated[Item | None, Part(fetch_declared)]


async def await_declared(shop: ExampleClient) -> None:
    await fetch_declared(shop)


async def load_declared(shop: ExampleClient) -> None:
    await compose(DeclaredPage, {"shop": shop}, RequestContext())


WAYS: Sequence[Callable[[ExampleClient], Awaitable[None]]] = (
    fetch, fetch_in_a_task, forget_an_outcome, load_page, load_optional, open_stream, leave_stream,
    await_declared, load_declared,
)  # fmt: skip


NOT_FOUND, CONFLICT, FORBIDDEN = (
    b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status for status in (404, 409, 403)
)


@pytest.mark.parametrize(
    "answer",
    [ITEM, FAILED, CUT_OFF, NOT_FOUND, CONFLICT, FORBIDDEN, b"garbage\r\n\r\n", b""],
)
@pytest.mark.parametrize("kinds", [(), (Transparent,), (retry,)], ids=["none", "one", "retry"])
async def test_nothing_is_left_for_the_collector(
    kinds: tuple[Callable[[], CallPolicy], ...], answer: bytes
) -> None:
    async def script(peer: Peer) -> None:
        await peer.read_request()
        peer.send(answer)
        while answer in {ITEM, NOT_FOUND, CONFLICT, FORBIDDEN}:
            await peer.read_request()
            peer.send(answer)

    policies = [kind() for kind in kinds]
    async with (
        serve_script(script) as server,
        ExampleClient(server.url, timeout=5, policies=policies) as shop,
    ):
        with nothing_for_the_collector():
            for make in WAYS:
                with suppress(UpstreamError):
                    await make(shop)
            await settle()


async def test_a_time_out_leaves_nothing_for_the_collector() -> None:
    async def script(peer: Peer) -> None:
        await peer.read_request()
        await peer.wait_closed()

    async with serve_script(script) as server, ExampleClient(server.url, timeout=0.02) as shop:
        with nothing_for_the_collector():
            for make in WAYS:
                with suppress(UpstreamError):
                    await make(shop)
            await settle()
