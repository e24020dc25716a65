"""Composites that are killed: at every turn of the loop, twice, a thousand at random moments."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Annotated

import pytest

from gateway.aggregation import Composite, Part
from gateway.aggregation.executor import compose
from gateway.request_context import RequestContext
from gateway.transport.transport import Transport
from gateway.upstream import Call, CallPolicy, PendingCall, UpstreamError
from gateway.upstream.call_policy import Attempt, R
from gateway.upstream.resilience.retry import Retry, RetryBudget
from tests.gateway.transport.scripted_server import (
    OK,
    Peer,
    ScriptedServer,
    respond_with,
    serve_script,
)
from tests.gateway.upstream.example_client import ExampleClient, Item

ITEM = OK + b"Content-Type: application/json\r\nContent-Length: 11\r\n\r\n" + b'{"sku":"A"}'

pytestmark = pytest.mark.usefixtures("no_leaks")


def fetch_required(shop: ExampleClient) -> PendingCall[Item]:
    return shop.get("/required", into=Item)


def fetch_optional(shop: ExampleClient) -> PendingCall[Item]:
    return shop.get("/optional", timeout=0.05, into=Item)


async def fetch_in_two_steps(shop: ExampleClient) -> Item:
    await shop.get("/first", into=Item)
    return await shop.get("/second", into=Item)


async def fetch_streamed(shop: ExampleClient) -> int:
    async with shop.stream("GET", "/streamed", idle_timeout=0.05) as response:
        return sum([len(piece) async for piece in response])


class Page(Composite, budget=5):
    required: Annotated[Item, Part(fetch_required)]
    optional: Annotated[Item | None, Part(fetch_optional)] = None
    steps: Annotated[Item | None, Part(fetch_in_two_steps)] = None
    streamed: Annotated[int | None, Part(fetch_streamed)] = None


class Slow(CallPolicy):
    """Waits before and after the attempt."""

    async def __call__(self, call: Call, attempt: Attempt[R]) -> R:
        await asyncio.sleep(0.001)
        response = await attempt()
        await asyncio.sleep(0.001)
        return response


class Moods:
    """A server with a seed: it answers, dawdles, fails, breaks off, hangs up or says nothing."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.is_kind = False

    async def script(self, peer: Peer) -> None:
        endings = {
            1: b"",
            2: ITEM[:20],
            3: ITEM[:-1],
            4: b"garbage\r\n\r\n",
            5: b"HTTP/1.1 503 X\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        }
        while True:
            await peer.read_request()
            mood = 0 if self.is_kind else self.random.randrange(14)
            if mood in endings:
                peer.send(endings[mood])
                return
            if mood == 6:
                await peer.wait_closed()
            if mood == 7:
                peer.send(b"HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n")
                continue
            if mood > 8:
                await asyncio.sleep(self.random.uniform(0, 0.02))
            middle = self.random.randrange(len(ITEM))
            peer.send(ITEM[:middle])
            await asyncio.sleep(0.002 * (mood == 8))
            peer.send(ITEM[middle:])


def policies(names: str) -> list[CallPolicy]:
    budget = RetryBudget(share=1, minimum=10_000)
    known: dict[str, CallPolicy] = {
        "slow": Slow(),
        "retry": Retry(3, budget=budget, backoff=0.005, max_backoff=0.01),
    }
    return [known[name] for name in names.split()]


@asynccontextmanager
async def open_shop(
    seed: int, names: str
) -> AsyncIterator[tuple[ExampleClient, Moods, ScriptedServer]]:
    moods = Moods(seed)
    async with (
        serve_script(moods.script) as server,
        ExampleClient(
            server.url,
            timeout=0.5,
            transport=Transport(max_connections=16),
            policies=policies(names),
        ) as shop,
    ):
        yield shop, moods, server


@pytest.mark.parametrize("names", ["", "retry", "slow retry", "retry slow"])
async def test_a_thousand_composites_killed_at_random_moments_leave_nothing(names: str) -> None:
    seed = 20_261_127
    chance = random.Random(seed)
    async with open_shop(seed, names) as (shop, moods, _):
        before = asyncio.all_tasks()
        cancelled = 0

        async def live() -> None:
            nonlocal cancelled
            task = asyncio.create_task(compose(Page, {"shop": shop}, RequestContext()))
            await asyncio.sleep(
                chance.choice([0, chance.uniform(0, 0.003), chance.uniform(0, 0.1)])
            )
            task.cancel()
            if chance.random() < 0.3:
                await asyncio.sleep(0)
                task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                cancelled += 1
            except UpstreamError:
                pass

        for _ in range(20):
            await asyncio.gather(*(live() for _ in range(50)))
        assert cancelled > 500
        # Nothing is left: no task, no call, and every slot of the pool is idle or free.
        for _ in range(10):
            await asyncio.sleep(0)
        left = {
            task
            for task in asyncio.all_tasks() - before
            if not str(task.get_coro()).startswith("<coroutine object ScriptedServer.serve")
        }
        assert left == set()
        assert shop._executor._tasks == set()
        (pool,) = shop._transport._pools.values()  # type: ignore[attr-defined]
        assert pool._size == len(pool._idle)
        assert not pool._waiters
        moods.is_kind = True
        async with asyncio.timeout(60):
            while (built := await compose(Page, {"shop": shop}, RequestContext())).degraded:
                pass  # on a busy machine a part may take longer than its timeout
        assert (built.required, built.streamed) == (Item(sku="A"), 11)


class Single(Composite, budget=5):
    required: Annotated[Item, Part(fetch_required)]
    steps: Annotated[Item, Part(fetch_in_two_steps)]


@pytest.mark.parametrize("names", ["", "retry"])
async def test_a_composite_can_be_cancelled_at_every_turn_of_the_loop(names: str) -> None:
    async with open_shop(1, names) as (shop, moods, _):
        moods.is_kind = True
        turns = 0
        while True:
            task = asyncio.create_task(compose(Single, {"shop": shop}, RequestContext()))
            for _ in range(turns):
                await asyncio.sleep(0)
            if task.done():
                break
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            (pool,) = shop._transport._pools.values() or (None,)  # type: ignore[attr-defined]
            assert shop._executor._tasks == set()
            assert pool is None or pool._size == len(pool._idle)
            turns += 1
        assert turns > 5


async def test_a_second_cancellation_waits_for_the_tasks_too() -> None:
    cleaned_up = asyncio.Event()
    started = asyncio.Event()

    async def clean_up_slowly(shop: ExampleClient) -> Item:
        try:
            started.set()
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.05)
            cleaned_up.set()
        raise AssertionError

    class Untidy(Composite, budget=5):
        part: Annotated[Item | None, Part(clean_up_slowly)] = None

    async with serve_script(respond_with()) as server, ExampleClient(server.url) as shop:
        task = asyncio.create_task(compose(Untidy, {"shop": shop}, RequestContext()))
        await started.wait()
        for _ in range(3):
            task.cancel()
            await asyncio.sleep(0.01)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert cleaned_up.is_set()


async def test_a_cancellation_while_others_are_stopped_is_not_lost() -> None:
    """A required part has failed; while the others clean up, the client of the gateway leaves."""
    stopping = asyncio.Event()

    async def clean_up_slowly(shop: ExampleClient) -> Item:
        try:
            await asyncio.Event().wait()
        finally:
            stopping.set()
            await asyncio.sleep(0.05)
        raise AssertionError

    async def fail(shop: ExampleClient) -> Item:
        await asyncio.sleep(0)
        raise ZeroDivisionError

    class Untidy(Composite, budget=5):
        slow: Annotated[Item | None, Part(clean_up_slowly)] = None
        failing: Annotated[Item, Part(fail)]

    async with serve_script(respond_with()) as server, ExampleClient(server.url) as shop:
        task = asyncio.create_task(compose(Untidy, {"shop": shop}, RequestContext()))
        await stopping.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_part_may_give_nothing() -> None:
    def remove(shop: ExampleClient) -> PendingCall[None]:
        return shop.delete("/", into=type(None))

    class Removed(Composite):
        done: Annotated[None, Part(remove)]

    gone = b"HTTP/1.1 204 X\r\n\r\n"
    async with serve_script(respond_with(gone)) as server, ExampleClient(server.url) as shop:
        built = await compose(Removed, {"shop": shop}, RequestContext())
    assert (built.done, built.degraded) == (None, [])
