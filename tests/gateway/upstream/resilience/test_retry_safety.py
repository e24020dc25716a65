"""What a retry must never do: repeat a POST, ignore Retry-After, outlive its call."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import count
from typing import Annotated

import httpx
import pytest

from gateway.aggregation import Composite, Part
from gateway.aggregation.executor import compose
from gateway.request_context import RequestContext
from gateway.transport.transport import Transport
from gateway.upstream import (
    Call,
    NoContent,
    PendingCall,
    UpstreamError,
    UpstreamInvalid,
    UpstreamUnavailable,
)
from gateway.upstream.error_mapping import map_status
from gateway.upstream.resilience.retry import BUDGET_WINDOW_SECONDS, Retry, RetryBudget
from tests.gateway.transport.scripted_server import OK, Peer, ScriptedServer, serve_script
from tests.gateway.upstream.example_client import ExampleClient, Item

ITEM = OK + b"Content-Type: application/json\r\nContent-Length: 11\r\n\r\n" + b'{"sku":"A"}'

pytestmark = pytest.mark.usefixtures("no_leaks")


def retry(attempts: int = 4) -> Retry:
    return Retry(
        attempts, budget=RetryBudget(share=1, minimum=100), backoff=0.001, max_backoff=0.001
    )


def fetch_posted(shop: ExampleClient, method: str) -> PendingCall[None]:
    return shop.call(Call(method, "/", {}, content=b"order"), into=NoContent)


class Posted(Composite, budget=5):
    done: Annotated[None, Part(fetch_posted)]


async def await_call(shop: ExampleClient, method: str) -> None:
    await fetch_posted(shop, method)


async def compose_page(shop: ExampleClient, method: str) -> None:
    await compose(Posted, {"shop": shop, "method": method}, RequestContext())


async def read_stream(shop: ExampleClient, method: str) -> None:
    async with shop.stream(method, "/", content=b"order") as response:
        async for _ in response:
            pass


WAYS = [await_call, compose_page, read_stream]
Way = Callable[[ExampleClient, str], Awaitable[None]]

FAILURES = {
    "closed before the response": b"",
    "503": b"HTTP/1.1 503 X\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
    "429 that may be retried at once": (
        b"HTTP/1.1 429 X\r\nConnection: close\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n"
    ),
    "half a head": b"HTTP/1.1 20",
    "half a body": OK + b"Content-Length: 9\r\n\r\nhalf",
    "an interim response alone": b"HTTP/1.1 100 Continue\r\n\r\n",
    "408": b"HTTP/1.1 408 X\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
    "garbage": b"garbage\r\n\r\n",
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("warm", [False, True], ids=["a new connection", "a stale connection"])
@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES.keys())
async def test_a_request_that_is_not_idempotent_reaches_the_service_once(
    way: Way, warm: bool, failure: bytes, either: httpx.AsyncBaseTransport
) -> None:
    seen: list[bytes] = []

    async def script(peer: Peer) -> None:
        if warm:
            await peer.read_request()
            peer.send(ITEM)
        seen.append((await peer.read_request()).split(b" ")[0])
        peer.send(failure)

    async with serve_script(script) as server:
        for policies in [], [retry()]:
            shop = ExampleClient(server.url, timeout=5, transport=either, policies=policies)
            for method in "POST", "PATCH":
                seen.clear()
                if warm:
                    await shop.get("/", into=Item)
                with suppress(UpstreamError):
                    await way(shop, method)
                assert seen == [method.encode()]


def fetch_found(shop: ExampleClient) -> PendingCall[Item]:
    return shop.post("/search", json={"sku": "A"}, into=Item, idempotent=True)


class Found(Composite, budget=5):
    item: Annotated[Item, Part(fetch_found)]


async def load_found(shop: ExampleClient) -> Item:
    return (await compose(Found, {"shop": shop}, RequestContext())).item


async def await_found(shop: ExampleClient) -> Item:
    return await fetch_found(shop)


@pytest.mark.parametrize("way", [await_found, load_found])
async def test_a_post_that_is_declared_idempotent_is_retried(
    way: Callable[[ExampleClient], Awaitable[Item]], either: httpx.AsyncBaseTransport
) -> None:
    seen: list[bytes] = []

    async def script(peer: Peer) -> None:
        seen.append(await peer.read_request())
        peer.send(ITEM if len(seen) > 2 else FAILURES["503"])

    async with serve_script(script) as server:
        shop = ExampleClient(server.url, timeout=5, transport=either, policies=[retry()])
        assert await way(shop) == Item(sku="A")
    assert len(seen) == 3
    assert len(set(seen)) == 1
    assert seen[0].startswith(b"POST /search HTTP/1.1\r\n")
    assert seen[0].endswith(b'\r\n\r\n{"sku":"A"}')


@pytest.mark.parametrize("way", [await_found, load_found])
async def test_a_post_that_is_declared_idempotent_survives_a_stale_connection(
    way: Callable[[ExampleClient], Awaitable[Item]],
) -> None:
    seen: list[bytes] = []

    async def script(peer: Peer) -> None:
        seen.append((await peer.read_request()).split(b" ")[0])
        peer.send(ITEM)
        if len(seen) == 1:
            seen.append((await peer.read_request()).split(b" ")[0])  # and closes the connection

    async with serve_script(script) as server, ExampleClient(server.url) as shop:
        await shop.get("/", into=Item)
        assert await way(shop) == Item(sku="A")
    assert seen == [b"GET", b"POST", b"POST"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD", "OPTIONS"])
async def test_an_idempotent_call_has_its_attempts_and_no_more(method: str) -> None:
    seen: list[bytes] = []

    async def script(peer: Peer) -> None:
        seen.append((await peer.read_request()).split(b" ")[0])
        peer.send(FAILURES["503"])

    async with (
        serve_script(script) as server,
        ExampleClient(server.url, policies=[retry(4)]) as shop,
    ):
        for way in await_call, compose_page:
            seen.clear()
            with pytest.raises(UpstreamUnavailable):
                await way(shop, method)
            assert seen == [method.encode()] * 4


@pytest.mark.parametrize("way", [await_call, compose_page])
async def test_a_body_that_was_cut_off_is_retried(way: Way) -> None:
    async def script(peer: Peer) -> None:
        await peer.read_request()
        peer.send(FAILURES["half a body"] if server.connections < 3 else ITEM)

    server: ScriptedServer
    async with (
        serve_script(script) as server,
        ExampleClient(server.url, policies=[retry(3)]) as shop,
    ):
        await way(shop, "GET")
        assert server.connections == 3


async def test_a_body_that_is_wrong_is_not_retried() -> None:
    async def script(peer: Peer) -> None:
        await peer.read_request()
        peer.send(ITEM.replace(b'"A"', b"[1]"))

    async with (
        serve_script(script) as server,
        ExampleClient(server.url, policies=[retry(3)]) as shop,
    ):
        with pytest.raises(UpstreamInvalid):
            await shop.get("/", into=Item)
        assert server.connections == 1


def format_date(seconds: float) -> str:
    """The HTTP date that many seconds from now."""
    moment = datetime.now(UTC) + timedelta(seconds=seconds)
    return format_datetime(moment, usegmt=True)


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("0", 0, 0),
        ("7", 7, 7),
        (" 7 ", 7, 7),
        ("3600", 3_600, 3_600),
        ("3601", 3_600, 3_600),
        ("9" * 5_000, 3_600, 3_600),
    ],
)
def test_retry_after_is_seconds_up_to_an_hour(text: str, low: float, high: float) -> None:
    after = map_status("shop", "GET /", 503, text).retry_after
    assert after is not None
    assert low <= after <= high


@pytest.mark.parametrize(
    ("seconds", "low", "high"), [(600, 500, 600), (-30, 0, 0), (86_400, 3_600, 3_600)]
)
def test_retry_after_may_be_a_date(seconds: float, low: float, high: float) -> None:
    after = map_status("shop", "GET /", 503, format_date(seconds)).retry_after
    assert after is not None
    assert low <= after <= high


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-1",
        "1.5",
        "soon",
        "1, 2",
        "٣",
        "Fri, 99 Foo 2026",
        "Fri, 27 Nov 2026 08:49:37 +9999999999",
        "Fri, 27 Nov 99999 08:49:37 GMT",
        "x" * 60_000,
        "1" + "a",
    ],
)
def test_any_other_retry_after_says_nothing(text: str) -> None:
    assert map_status("shop", "GET /", 503, text).retry_after is None


@pytest.mark.parametrize("text", ["86400", "a date", "9" * 30])
async def test_a_service_that_asks_for_a_long_pause_is_not_called_again(text: str) -> None:
    text = format_date(600) if text == "a date" else text

    async def script(peer: Peer) -> None:
        while True:
            await peer.read_request()
            seen.append(1)
            head = f"HTTP/1.1 503 X\r\nRetry-After: {text}\r\nContent-Length: 0\r\n\r\n"
            peer.send(head.encode())

    seen: list[int] = []
    async with (
        serve_script(script) as server,
        ExampleClient(server.url, policies=[retry()]) as shop,
    ):
        with pytest.raises(UpstreamUnavailable):
            await shop.get("/", into=Item)
    assert len(seen) == 1


def test_the_budget_at_the_edges_of_its_buckets() -> None:
    now = 0.0
    budget = RetryBudget(share=0.5, minimum=0, clock=lambda: now)
    assert not budget.try_spend()
    budget.record_call()
    assert not budget.try_spend()  # half of one call is none
    budget.record_call()
    assert budget.try_spend()
    assert not budget.try_spend()
    now = BUDGET_WINDOW_SECONDS + 0.999
    assert not budget.try_spend()
    now = BUDGET_WINDOW_SECONDS + 1
    budget.record_call()
    assert not budget.try_spend()  # the two calls have left the window, and so has the retry
    budget.record_call()
    assert budget.try_spend()
    now = 1_000_000
    assert not budget.try_spend()


@pytest.mark.parametrize("percent", range(1, 101))
def test_a_budget_in_percent_is_exact(percent: int) -> None:
    budget = RetryBudget(share=percent / 100, minimum=0, clock=lambda: 0.0)
    for _ in range(100):
        budget.record_call()
    assert next(spent for spent in count() if not budget.try_spend()) == percent


@pytest.mark.parametrize("way", WAYS)
async def test_closing_the_client_ends_a_call_that_is_between_two_attempts(way: Way) -> None:
    failed = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.read_request()
        peer.send(FAILURES["503"])
        failed.set()

    policy = Retry(9, budget=RetryBudget(share=1, minimum=100), backoff=0.05, max_backoff=0.05)
    async with serve_script(script) as server:
        shop = ExampleClient(server.url, timeout=30, transport=Transport(), policies=[policy])
        running = asyncio.ensure_future(way(shop, "GET"))
        await failed.wait()
        await shop.aclose()
        async with asyncio.timeout(60):
            with pytest.raises(UpstreamUnavailable):
                await running
