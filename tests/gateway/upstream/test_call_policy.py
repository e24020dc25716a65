"""One policy sees every call of its service, whichever way the call is made."""

from typing import Annotated

import pytest

from gateway.aggregation import Composite, Part
from gateway.aggregation.executor import compose
from gateway.request_context import RequestContext
from gateway.upstream import Call, CallPolicy, PendingCall, UpstreamError, UpstreamUnavailable
from gateway.upstream.call_policy import Attempt, R
from gateway.upstream.deadline import remaining
from tests.gateway.transport.scripted_server import OK, Peer, serve_script
from tests.gateway.upstream.example_client import ExampleClient, Item

ITEM = OK + b"Content-Type: application/json\r\nContent-Length: 11\r\n\r\n" + b'{"sku":"A"}'


class Record(CallPolicy):
    """Records every call with its outcome."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    async def __call__(self, call: Call, attempt: Attempt[R]) -> R:
        try:
            response = await attempt()
        except UpstreamError as error:
            self.calls.append(f"{call.operation} {error.reason}")
            raise
        self.calls.append(f"{call.operation} ok")
        return response


def fetch_item(client: ExampleClient) -> PendingCall[Item]:
    return client.get("/composed", into=Item)


async def fetch_slowly(client: ExampleClient) -> Item:
    return await client.get("/in-a-coroutine", into=Item)


class Page(Composite, budget=2):
    item: Annotated[Item, Part(fetch_item)]
    other: Annotated[Item | None, Part(fetch_slowly)] = None


async def answer(peer: Peer) -> None:
    while True:
        request = await peer.read_request()
        failed = b"/failed" in request
        peer.send(b"HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n" if failed else ITEM)


async def test_a_policy_sees_composed_calls_awaited_calls_and_streams(no_leaks: None) -> None:
    record = Record()
    async with (
        serve_script(answer) as server,
        ExampleClient(server.url, policies=[record]) as client,
    ):
        for _ in range(2):  # the second time over idle connections
            await compose(Page, {"client": client}, RequestContext())
        await client.get("/awaited", into=Item)
        async with client.stream("GET", "/streamed") as response:
            assert b"".join([piece async for piece in response]) == b'{"sku":"A"}'
    assert record.calls[:4].count("GET /composed ok") == 2
    assert record.calls[:4].count("GET /in-a-coroutine ok") == 2
    assert record.calls[4:] == ["GET /awaited ok", "GET /streamed ok"]


async def test_a_policy_sees_failures_as_errors_of_the_tree(no_leaks: None) -> None:
    record = Record()
    async with (
        serve_script(answer) as server,
        ExampleClient(server.url, policies=[record]) as client,
    ):
        with pytest.raises(UpstreamUnavailable):
            await client.get("/failed", into=Item)
        with pytest.raises(UpstreamUnavailable):
            async with client.stream("GET", "/failed"):
                pass
    assert record.calls == ["GET /failed unavailable"] * 2


async def test_the_first_policy_is_the_outermost() -> None:
    order: list[str] = []

    class Named(CallPolicy):
        def __init__(self, name: str) -> None:
            self.name = name

        async def __call__(self, call: Call, attempt: Attempt[R]) -> R:
            order.append(self.name)
            return await attempt()

    policies = [Named("outer"), Named("inner")]
    async with (
        serve_script(answer) as server,
        ExampleClient(server.url, policies=policies) as client,
    ):
        await client.get("/", into=Item)
    assert order == ["outer", "inner"]


async def test_a_policy_knows_how_much_time_is_left() -> None:
    seen: list[float | None] = []

    class Clocked(CallPolicy):
        async def __call__(self, call: Call, attempt: Attempt[R]) -> R:
            seen.append(remaining())
            return await attempt()

    async with (
        serve_script(answer) as server,
        ExampleClient(server.url, policies=[Clocked()]) as client,
    ):
        await client.get("/", timeout=0.7, into=Item)
        async with client.stream("GET", "/", timeout=0.7):
            pass
    assert all(left is not None and 0 < left <= 0.7 for left in seen)
    assert len(seen) == 2


async def test_a_policy_may_refuse_a_call(no_leaks: None) -> None:
    class Open(CallPolicy):
        """A circuit breaker that is open."""

        async def __call__(self, call: Call, attempt: Attempt[R]) -> R:
            raise UpstreamUnavailable("orders", call.operation, "circuit open")

    async with (
        serve_script(answer) as server,
        ExampleClient(server.url, policies=[Open()]) as client,
    ):
        with pytest.raises(UpstreamUnavailable, match="circuit open"):
            await client.get("/", into=Item)
        with pytest.raises(UpstreamUnavailable, match="circuit open"):
            await compose(Page, {"client": client}, RequestContext())
    assert server.connections == 0
