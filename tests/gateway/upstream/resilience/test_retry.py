"""Retries of idempotent calls: which calls, how many attempts, and the retry budget."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Annotated, Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.aggregation import Composite, Part
from gateway.aggregation.executor import compose
from gateway.request_context import RequestContext
from gateway.testing import run_in_virtual_time
from gateway.transport.transport import Transport
from gateway.upstream import CallPolicy, PendingCall, UpstreamRefused, UpstreamUnavailable
from gateway.upstream.deadline import deadline
from gateway.upstream.resilience.retry import BUDGET_WINDOW_SECONDS, Retry, RetryBudget
from tests.gateway.transport.scripted_server import Peer, ScriptedServer, serve_script
from tests.gateway.upstream.example_client import ExampleClient, Item

ITEM = httpx.Response(200, json={"sku": "A"})


class Service(httpx.AsyncBaseTransport):
    """Answers with a list of responses or errors, one after the other, then with an item."""

    def __init__(self, *outcomes: httpx.Response | type[httpx.TransportError]) -> None:
        self.outcomes = list(outcomes)
        self.requests: list[tuple[float, httpx.Request]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append((asyncio.get_running_loop().time(), request))
        outcome = self.outcomes.pop(0) if self.outcomes else ITEM
        if isinstance(outcome, httpx.Response):
            return httpx.Response(
                outcome.status_code, headers=outcome.headers, content=outcome.content
            )
        raise outcome("as the test says")


def make_policies(attempts: int = 3, backoff: float = 0.1) -> Sequence[CallPolicy]:
    budget = RetryBudget(share=0.2, minimum=3, clock=lambda: asyncio.get_running_loop().time())
    return [Retry(attempts, budget=budget, backoff=backoff, max_backoff=1)]


def open_client(service: httpx.AsyncBaseTransport, **options: object) -> ExampleClient:
    retry = make_policies(**options)  # type: ignore[arg-type]
    return ExampleClient("http://shop.test", timeout=5, transport=service, policies=retry)


UNAVAILABLE = httpx.Response(503)


@pytest.mark.parametrize(
    "failure",
    [
        httpx.ConnectError, httpx.ConnectTimeout, httpx.ReadError, httpx.RemoteProtocolError,
        UNAVAILABLE, httpx.Response(500), httpx.Response(502), httpx.Response(429),
    ],
)  # fmt: skip
async def test_a_transient_failure_is_retried(
    failure: httpx.Response | type[httpx.TransportError],
) -> None:
    service = Service(failure, failure)
    async with open_client(service, backoff=0.001) as client:
        assert await client.get("/", into=Item) == Item(sku="A")
    assert len(service.requests) == 3


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (httpx.Response(404), UpstreamRefused),
        (httpx.Response(301), UpstreamRefused),
        (httpx.Response(501), UpstreamUnavailable),
    ],
)
async def test_a_permanent_failure_is_not_retried(
    failure: httpx.Response, error: type[Exception]
) -> None:
    service = Service(failure)
    async with open_client(service) as client:
        with pytest.raises(error):
            await client.get("/", into=Item)
    assert len(service.requests) == 1


@pytest.mark.parametrize("failure", [UNAVAILABLE, httpx.ReadError, httpx.ConnectError])
@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_a_call_that_is_not_idempotent_is_never_retried(
    method: str, failure: httpx.Response | type[httpx.TransportError]
) -> None:
    service = Service(failure)
    async with open_client(service) as client:
        call = client.post if method == "POST" else client.patch
        with pytest.raises(UpstreamUnavailable):
            await call("/", json={}, into=Item)
        service.outcomes = [failure]
        with pytest.raises(UpstreamUnavailable):
            await client.stream(method, "/", json={}).__aenter__()
    assert len(service.requests) == 2


async def test_the_number_of_attempts_is_bounded() -> None:
    service = Service(*[UNAVAILABLE] * 9)
    async with open_client(service, attempts=3, backoff=0.001) as client:
        with pytest.raises(UpstreamUnavailable):
            await client.get("/", into=Item)
    assert len(service.requests) == 3


def get_call_times(service: Service, **options: object) -> list[float]:
    """Return the times of the requests of one call, in virtual seconds."""

    async def call() -> None:
        async with open_client(service, **options) as client:
            with suppress(UpstreamUnavailable):
                await client.get("/", into=Item)

    run_in_virtual_time(call())
    return [at for at, _ in service.requests]


@given(seed=st.integers(0, 10_000))
def test_pauses_are_random_and_doubled_at_most(seed: int) -> None:
    random.seed(seed)
    first, second, third = get_call_times(Service(UNAVAILABLE, UNAVAILABLE), backoff=0.1)
    assert 0 <= second - first <= 0.1
    assert 0 <= third - second <= 0.2


def test_retry_after_is_respected() -> None:
    busy = httpx.Response(503, headers={"retry-after": "2"})
    first, second = get_call_times(Service(busy))
    assert second - first >= 2


def test_a_pause_beyond_the_deadline_is_not_started() -> None:
    busy = httpx.Response(503, headers={"retry-after": "5"})
    assert len(get_call_times(Service(busy))) == 1  # the call has 5 seconds


async def test_a_deadline_around_the_call_counts_too() -> None:
    busy = httpx.Response(503, headers={"retry-after": "2"})
    service = Service(busy)
    async with open_client(service) as client:
        with deadline(1), pytest.raises(UpstreamUnavailable):
            await client.get("/", into=Item)
    assert len(service.requests) == 1


class FailsHalf(httpx.AsyncBaseTransport):
    """A service that fails every other request."""

    def __init__(self) -> None:
        self.requests = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        return httpx.Response(503) if self.requests % 2 else httpx.Response(200, json={"sku": "A"})


def test_a_failing_service_gets_at_most_a_fifth_more() -> None:
    service, calls = FailsHalf(), 0

    async def load() -> None:
        nonlocal calls

        async def call(client: ExampleClient) -> None:
            with suppress(UpstreamUnavailable):
                await client.get("/", into=Item)

        async with open_client(service, attempts=5) as client, asyncio.TaskGroup() as callers:
            for _ in range(30 * 200):
                callers.create_task(call(client))
                calls += 1
                await asyncio.sleep(1 / 200)

    run_in_virtual_time(load())
    assert calls == 6_000
    assert calls * 1.15 <= service.requests <= calls * 1.2


@given(st.lists(st.tuples(st.floats(0, 3), st.booleans()), max_size=300))
def test_the_budget_holds_in_every_window(steps: list[tuple[float, bool]]) -> None:
    now = 0.0
    budget = RetryBudget(share=0.2, minimum=3, clock=lambda: now)
    calls: list[int] = []
    retries: list[int] = []
    for pause, is_retry in steps:
        now += pause
        window = int(now) - BUDGET_WINDOW_SECONDS
        if not is_retry:
            budget.record_call()
            calls.append(int(now))
            continue
        recent_calls = sum(at >= window for at in calls)
        recent_retries = sum(at >= window for at in retries)
        allowed = budget.try_spend()
        assert allowed == (recent_retries + 1 <= max(3, 0.2 * recent_calls))
        if allowed:
            retries.append(int(now))


def fetch_item(client: ExampleClient) -> PendingCall[Item]:
    return client.get("/", into=Item)


class CountingBudget(RetryBudget):
    """An unlimited budget that reports when `awaited` retries have been allowed."""

    def __init__(self, awaited: int) -> None:
        super().__init__(share=1, minimum=1)
        self.reached = asyncio.Event()
        self._awaited = awaited

    def try_spend(self) -> bool:
        self._awaited -= 1
        if not self._awaited:
            self.reached.set()
        return True


@asynccontextmanager
async def failing_server(
    budget: RetryBudget,
) -> AsyncIterator[tuple[ExampleClient, ScriptedServer]]:
    """A real server that answers 503, and a client whose pauses outlast the test."""

    async def script(peer: Peer) -> None:
        while True:
            await peer.read_request()
            peer.send(b"HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n")

    retry = Retry(9, budget=budget, backoff=1_000, max_backoff=1_000)
    async with (
        serve_script(script) as server,
        ExampleClient(
            server.url,
            timeout=3_000,
            transport=Transport(max_connections=64),
            policies=[retry],
        ) as client,
    ):
        yield client, server


async def fetch(client: ExampleClient) -> object:
    return await client.get("/", into=Item)


async def load_page(client: ExampleClient) -> object:
    with deadline(2_000):
        return await compose(LongPage, {"client": client}, RequestContext())


class LongPage(Composite, budget=2_000):
    item: Annotated[Item, Part(fetch_item)]


async def open_stream(client: ExampleClient) -> object:
    async with client.stream("GET", "/") as response:
        return response


@pytest.mark.parametrize("make", [fetch, load_page, open_stream])
async def test_a_thousand_clients_killed_in_a_pause_leave_nothing(
    make: Callable[[ExampleClient], Coroutine[Any, Any, object]], no_leaks: None
) -> None:
    budget = CountingBudget(1_000)
    async with failing_server(budget) as (client, _):
        calls = [asyncio.create_task(make(client)) for _ in range(1_000)]
        await budget.reached.wait()
        for call in calls:
            call.cancel()
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes)
        assert not client._executor._tasks


async def test_a_client_that_closes_ends_its_pauses(no_leaks: None) -> None:
    budget = CountingBudget(1)
    async with failing_server(budget) as (client, _):
        call = client.get("/", into=Item)
        call.begin(asyncio.get_running_loop().time(), 2_000, lambda _: None)
        await budget.reached.wait()
        await client.aclose()
        assert not client._executor._tasks
