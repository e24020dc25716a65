"""A call that a task makes completes exactly once, however its task ends, and leaves nothing."""

import asyncio
import gc
import time
from contextvars import ContextVar
from typing import Annotated

import httpx
import pytest

from gateway.aggregation import Composite, Part
from gateway.aggregation.executor import compose
from gateway.request_context import RequestContext
from gateway.transport.transport import Transport
from gateway.upstream import (
    Call,
    CallPolicy,
    PendingCall,
    UpstreamInvalid,
    UpstreamResponse,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from gateway.upstream.call_policy import Attempt, R
from gateway.upstream.deadline import deadline
from gateway.upstream.resilience.retry import Retry, RetryBudget
from tests.gateway.transport.scripted_server import OK, Peer, respond_with, serve_script
from tests.gateway.upstream.example_client import ExampleClient, Item

ITEM = OK + b"Content-Type: application/json\r\nContent-Length: 11\r\n\r\n" + b'{"sku":"A"}'
FAILED = b"HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n"
CUT_OFF = OK + b"Content-Type: application/json\r\nContent-Length: 11\r\n\r\n" + b'{"sku'

pytestmark = pytest.mark.usefixtures("no_leaks")


class Transparent(CallPolicy):
    """Makes one attempt."""

    async def __call__(self, call: Call, attempt: Attempt[R]) -> R:
        return await attempt()


class Hang(CallPolicy):
    """Waits for ever."""

    async def __call__(self, call: Call, attempt: Attempt[R]) -> R:
        await asyncio.Event().wait()
        raise AssertionError


class CancelItself(CallPolicy):
    """Is cancelled by something of its own, such as a future that somebody else cancelled."""

    async def __call__(self, call: Call, attempt: Attempt[R]) -> R:
        raise asyncio.CancelledError


class SwallowCancellation(CallPolicy):
    """Answers a cancellation with one more attempt, as no policy should."""

    async def __call__(self, call: Call, attempt: Attempt[R]) -> R:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return await attempt()
        raise AssertionError


def retry(attempts: int = 3) -> Retry:
    return Retry(
        attempts, budget=RetryBudget(share=1, minimum=100), backoff=0.001, max_backoff=0.001
    )


def fetch_item(shop: ExampleClient) -> PendingCall[Item]:
    return shop.get("/", into=Item)


def fetch_failed(shop: ExampleClient) -> PendingCall[Item]:
    return shop.get("/failed", into=Item)


class Page(Composite, budget=20):
    item: Annotated[Item, Part(fetch_item)]


class Optional(Composite, budget=20):
    item: Annotated[Item | None, Part(fetch_item)] = None


def begin(client: ExampleClient, seconds: float = 20) -> tuple[PendingCall[Item], list[object]]:
    call: PendingCall[Item] = client.get("/", into=Item)
    completed: list[object] = []
    call.begin(asyncio.get_running_loop().time(), seconds, completed.append)
    return call, completed


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.mark.parametrize("turns", [0, 1, 2, 5])
async def test_a_composite_ends_when_its_client_is_closed_during_a_policy(turns: int) -> None:
    async with (
        serve_script(respond_with()) as server,
        ExampleClient(server.url, policies=[Hang()]) as shop,
    ):
        running = asyncio.create_task(compose(Page, {"shop": shop}, RequestContext()))
        await asyncio.sleep(0)
        for _ in range(turns):
            await asyncio.sleep(0)
        await shop.aclose()
        async with asyncio.timeout(60):
            with pytest.raises(UpstreamUnavailable, match="closed"):
                await running


@pytest.mark.parametrize("turns", [0, 1, 2, 5])
async def test_a_composite_ends_when_its_client_is_closed_while_it_connects(turns: int) -> None:
    async with serve_script(respond_with()) as server, ExampleClient(server.url) as shop:
        running = asyncio.create_task(compose(Page, {"shop": shop}, RequestContext()))
        await asyncio.sleep(0)
        for _ in range(turns):
            await asyncio.sleep(0)
        await shop.aclose()
        async with asyncio.timeout(60):
            with pytest.raises(UpstreamUnavailable):
                await running


async def test_a_policy_that_is_cancelled_by_something_else_fails_its_part_only() -> None:
    async with (
        serve_script(respond_with()) as server,
        ExampleClient(server.url, policies=[CancelItself()]) as shop,
    ):
        async with asyncio.timeout(60):
            built = await compose(Optional, {"shop": shop}, RequestContext())
    assert [missing.reason for missing in built.degraded] == ["unavailable"]


async def test_an_abandoned_call_whose_policy_swallows_that_completes_nothing() -> None:
    problems: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: problems.append(context))
    async with (
        serve_script(respond_with(ITEM)) as server,
        ExampleClient(server.url, policies=[SwallowCancellation()]) as shop,
    ):
        call, completed = begin(shop)
        await settle()
        task = call.abandon()
        assert task is not None
        await asyncio.wait([task])
        del task
    gc.collect()
    assert completed == []
    assert problems == []


async def test_a_call_that_is_abandoned_before_its_task_has_started_completes_nothing() -> None:
    async with serve_script(respond_with(ITEM)) as server, ExampleClient(server.url) as shop:
        call, completed = begin(shop)
        task = call.abandon()
        assert task is not None
        await asyncio.wait([task])
        assert call.abandon() is None
        assert completed == []
        assert not shop._executor._tasks
    assert server.connections == 0


async def test_a_complete_call_cannot_be_abandoned() -> None:
    async with serve_script(respond_with(ITEM)) as server, ExampleClient(server.url) as shop:
        call, completed = begin(shop)
        async with asyncio.timeout(60):
            while not completed:  # noqa: ASYNC110
                await asyncio.sleep(0)
        assert call.abandon() is None
        assert call.result() == Item(sku="A")


async def test_a_callback_that_raises_is_reported_and_costs_no_connection() -> None:
    problems: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: problems.append(context))

    def fail(_: object) -> None:
        raise ZeroDivisionError

    async with (
        serve_script(respond_with(ITEM, ITEM)) as server,
        ExampleClient(server.url, transport=Transport(max_connections=1)) as shop,
    ):
        call: PendingCall[Item] = shop.get("/", into=Item)
        call.begin(asyncio.get_running_loop().time(), 5, fail)
        async with asyncio.timeout(60):
            while shop._executor._tasks:  # noqa: ASYNC110
                await asyncio.sleep(0)
        assert await shop.get("/", into=Item) == Item(sku="A")
    del call
    gc.collect()
    assert [type(problem["exception"]) for problem in problems] == [ZeroDivisionError]


async def test_a_call_that_could_not_begin_is_not_in_flight() -> None:
    async with ExampleClient("http://shop.invalid") as shop:
        call: PendingCall[Item] = shop.get("/{x}", into=Item)
        with pytest.raises(ValueError, match="placeholders"):
            call.begin(asyncio.get_running_loop().time(), 5, lambda _: None)
        assert "in flight" not in repr(call)
        assert call.abandon() is None


@pytest.mark.parametrize("seconds", [0, -1, -0.0])
async def test_no_request_is_sent_without_time_for_it(
    seconds: float, either: httpx.AsyncBaseTransport
) -> None:
    async with serve_script(respond_with(ITEM)) as server:
        for policies in [], [Transparent()]:
            shop = ExampleClient(server.url, transport=either, policies=policies)
            with pytest.raises(UpstreamTimeout, match="no time was left"):
                await shop.get("/", timeout=seconds, into=Item)
            with pytest.raises(UpstreamTimeout, match="no time was left"):
                async with shop.stream("GET", "/", timeout=seconds):
                    pass
            with pytest.raises(UpstreamTimeout, match="no time was left"):
                shop.get("/", into=Item).begin(
                    asyncio.get_running_loop().time(), seconds, lambda _: None
                )
        assert server.connections == 0


async def test_an_attempt_after_the_deadline_sends_nothing() -> None:
    class TooLate(CallPolicy):
        async def __call__(self, call: Call, attempt: Attempt[R]) -> R:
            with deadline(0):
                return await attempt()

    async with (
        serve_script(respond_with(ITEM)) as server,
        ExampleClient(server.url, policies=[TooLate()]) as shop,
    ):
        with pytest.raises(UpstreamTimeout, match="no time was left"):
            await shop.get("/", into=Item)
        with pytest.raises(UpstreamTimeout, match="no time was left"):
            async with shop.stream("GET", "/"):
                pass
    assert server.connections == 0


trace: ContextVar[str] = ContextVar("trace", default="none")


async def test_a_policy_runs_in_the_context_of_its_request() -> None:
    seen: list[str] = []

    class Trace(CallPolicy):
        async def __call__(self, call: Call, attempt: Attempt[R]) -> R:
            seen.append(trace.get())
            return await attempt()

    async def serve(name: str, shop: ExampleClient) -> None:
        trace.set(name)
        await compose(Page, {"shop": shop}, RequestContext())
        await shop.get("/", into=Item)

    async def script(peer: Peer) -> None:
        while True:
            await peer.read_request()
            peer.send(ITEM)

    async with (
        serve_script(script) as server,
        ExampleClient(server.url, policies=[Trace()]) as shop,
    ):
        await asyncio.create_task(serve("a", shop))
        await asyncio.create_task(serve("b", shop))
    assert seen == ["a", "a", "b", "b"]


async def fetch(shop: ExampleClient) -> None:
    await shop.get("/", into=Item)


async def load_page(shop: ExampleClient) -> None:
    await compose(Page, {"shop": shop}, RequestContext())


async def open_stream(shop: ExampleClient) -> None:
    async with shop.stream("GET", "/") as response:
        _ = [piece async for piece in response]


async def answer_and_block_the_loop(peer: Peer) -> None:
    """A response that is in time, and an event loop too busy to read it before the timeout."""
    await peer.read_request()
    peer.send(ITEM)
    time.sleep(0.2)  # noqa: ASYNC251 - the point
    await peer.wait_closed()


@pytest.mark.parametrize("kinds", [(), (Transparent,), (Transparent, Transparent)])
async def test_a_response_that_has_arrived_beats_the_time_out(
    kinds: tuple[type[Transparent], ...],
) -> None:
    policies = [kind() for kind in kinds]
    for make in fetch, load_page, open_stream:
        async with (
            serve_script(answer_and_block_the_loop) as server,
            ExampleClient(server.url, timeout=0.1, policies=policies) as shop,
        ):
            await make(shop)


async def test_a_response_needs_its_type() -> None:
    async with serve_script(respond_with(ITEM)) as server, ExampleClient(server.url) as shop:
        with pytest.raises(TypeError, match=r"UpstreamResponse\[\.\.\.\]"):
            await shop.get("/", into=UpstreamResponse)


TEXT = ITEM.replace(b"application/json", b"text/plain")


@pytest.mark.parametrize("body_type", [Item, str, bytes, list[Item], dict[str, str]])
async def test_a_body_that_is_not_json_is_invalid_with_its_head_too(body_type: type) -> None:
    async with serve_script(respond_with(TEXT, TEXT)) as server, ExampleClient(server.url) as shop:
        with pytest.raises(UpstreamInvalid, match="content type is 'text/plain', not JSON"):
            await shop.get("/", into=UpstreamResponse[body_type])  # type: ignore[valid-type]
        response = await shop.get("/", into=UpstreamResponse[None])
        assert response.headers["content-type"] == "text/plain"
