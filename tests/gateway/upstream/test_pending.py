"""A pending call behaves like a coroutine, and can turn a status of a refusal into None."""

import asyncio
import gc
from typing import Annotated, assert_type

import pytest
import respx

from gateway.aggregation import Composite, Part
from gateway.aggregation.executor import compose
from gateway.request_context import RequestContext
from gateway.transport.pool import Pool
from gateway.transport.transport import Transport
from gateway.upstream.errors import UpstreamRefused, UpstreamUnavailable
from gateway.upstream.pending import PendingCall
from gateway.upstream.problem import UpstreamProblem
from tests.gateway.transport.scripted_server import OK, respond_with, serve_script
from tests.gateway.upstream.example_client import ExampleClient, Item

ITEM = OK + b"Content-Type: application/json\r\nContent-Length: 11\r\n\r\n" + b'{"sku":"A"}'


def get_pool(client: ExampleClient) -> Pool | None:
    """Return the pool of the client's transport, if there is one yet."""
    pools: dict[object, Pool] = client._transport._pools  # type: ignore[attr-defined]
    return next(iter(pools.values()), None)


async def test_a_call_can_be_awaited_gathered_and_run_as_a_task(no_leaks: None) -> None:
    async with (
        serve_script(respond_with(ITEM, ITEM, ITEM)) as server,
        ExampleClient(server.url) as client,
    ):
        assert await client.get("/", into=Item) == Item(sku="A")
        (gathered,) = await asyncio.gather(client.get("/", into=Item))
        assert gathered == Item(sku="A")
        assert await asyncio.create_task(client.get("/", into=Item)) == Item(sku="A")


async def test_a_call_is_made_only_once(no_leaks: None) -> None:
    async with serve_script(respond_with(ITEM)) as server, ExampleClient(server.url) as client:
        call = client.get("/", into=Item)
        await call
        with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
            await call


async def test_a_call_that_has_begun_is_not_made_again(no_leaks: None) -> None:
    loop = asyncio.get_running_loop()
    async with (
        serve_script(respond_with(ITEM, ITEM)) as server,
        ExampleClient(server.url) as client,
    ):
        await client.get("/", into=Item)
        call, completed = client.get("/", into=Item), loop.create_future()
        call.begin(loop.time(), 5.0, completed.set_result)
        with pytest.raises(RuntimeError, match="is in flight"):
            call.result()
        with pytest.raises(RuntimeError, match="has been made already"):
            call.begin(loop.time(), 5.0, completed.set_result)
        with pytest.raises(RuntimeError, match="has been made already"):
            await call
        async with asyncio.timeout(60):
            await completed
        with pytest.raises(RuntimeError, match="has been made already"):
            await call
        assert call.result() == Item(sku="A")


async def test_closing_a_call_in_flight_abandons_it(no_leaks: None) -> None:
    loop = asyncio.get_running_loop()
    async with serve_script(respond_with(ITEM)) as server, ExampleClient(server.url) as client:
        await client.get("/", into=Item)
        call, completed = client.get("/", into=Item), loop.create_future()
        call.begin(loop.time(), 5.0, completed.set_result)
        call.close()
    assert not completed.done()


async def test_a_cancelled_task_ends_its_call(no_leaks: None) -> None:
    async with serve_script(respond_with()) as server, ExampleClient(server.url) as client:
        task = asyncio.create_task(client.get("/", into=Item))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_cancelling_a_completed_call_does_not_affect_the_next(
    no_leaks: None,
) -> None:
    loop = asyncio.get_running_loop()
    async with (
        serve_script(respond_with(ITEM, ITEM)) as server,
        ExampleClient(server.url, transport=Transport(max_connections=1)) as client,
    ):
        first = asyncio.create_task(client.get("/", into=Item))
        second, completed = client.get("/", into=Item), loop.create_future()
        # The first response has arrived, and its task has not run yet.
        while not (pool := get_pool(client)) or not pool._idle:  # noqa: ASYNC110
            await asyncio.sleep(0)
        second.begin(loop.time(), 5.0, completed.set_result)
        first.cancel()
        await asyncio.wait([first])
        assert first.cancelled()
        async with asyncio.timeout(60):
            await completed
        assert second.result() == Item(sku="A")


async def test_a_call_that_is_never_awaited_gives_a_warning() -> None:
    async with ExampleClient("http://shop.invalid") as client:
        with pytest.warns(RuntimeWarning, match=r"the call GET /items/\{sku\} was never awaited"):
            client.get("/items/{sku}", sku="A", into=Item)


async def test_a_closed_call_gives_no_warning(recwarn: pytest.WarningsRecorder) -> None:
    async with ExampleClient("http://shop.invalid") as client:
        client.get("/", into=Item).close()
        gc.collect()
    assert [str(warning.message) for warning in recwarn] == []


@pytest.mark.parametrize("statuses", [(), (404,)])
async def test_a_task_that_is_cancelled_before_it_starts_gives_no_warning(
    statuses: tuple[int, ...], recwarn: pytest.WarningsRecorder
) -> None:
    async with ExampleClient("http://shop.invalid") as client:
        task = asyncio.create_task(client.get("/", into=Item).or_none(*statuses))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        del task
        gc.collect()
    assert [str(warning.message) for warning in recwarn] == []


class Conflict(UpstreamProblem, status=409):
    """The item was changed."""


def find(client: ExampleClient) -> PendingCall[Item | None]:
    return client.get("/items/A", into=Item).or_none(404, 410).or_raise(Conflict)


def check_types(client: ExampleClient) -> None:
    """For the type checker."""
    call = client.get("/", into=Item)
    assert_type(call.or_raise(Conflict), PendingCall[Item])
    assert_type(call.or_none(404), PendingCall[Item | None])
    assert_type(call.or_raise(Conflict).or_none(404), PendingCall[Item | None])


async def test_a_declared_status_is_none_and_others_are_not(
    routes: respx.Router, client: ExampleClient
) -> None:
    route = routes.get("/items/A")
    for status in (404, 410):
        route.respond(status)
        assert await find(client) is None
    route.respond(200, json={"sku": "A"})
    assert await find(client) == Item(sku="A")
    for status, error in ((400, UpstreamRefused), (409, Conflict), (503, UpstreamUnavailable)):
        route.respond(status)
        with pytest.raises(error):
            await find(client)
    route.respond(404)
    with pytest.raises(UpstreamRefused):
        await client.get("/items/A", into=Item)


def fetch_found(client: ExampleClient) -> PendingCall[Item | None]:
    return client.get("/", into=Item).or_none(404)


class Found(Composite):
    item: Annotated[Item | None, Part(fetch_found)]


async def load_found(client: ExampleClient) -> Found:
    return await compose(Found, {"client": client}, RequestContext())


async def test_a_part_can_be_none_without_being_degraded(no_leaks: None) -> None:
    missing = b"HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n"
    async with (
        serve_script(respond_with(ITEM, missing, missing)) as server,
        ExampleClient(server.url) as client,
    ):
        built = [await load_found(client) for _ in range(3)]
    assert [(page.item, page.degraded) for page in built] == [
        (Item(sku="A"), []), (None, []), (None, []),
    ]  # fmt: skip


@pytest.mark.parametrize("status", [200, 299, 429, 500, 503])
async def test_only_a_refusal_can_be_none(client: ExampleClient, status: int) -> None:
    with pytest.raises(ValueError, match=f"GET /: status {status} is not a refusal"):
        client.get("/", into=Item).or_none(status)


async def test_a_status_is_declared_once(client: ExampleClient) -> None:
    class Other(UpstreamProblem, status=409):
        pass

    with pytest.raises(ValueError, match="GET /: status 409 is declared twice"):
        client.get("/", into=Item).or_raise(Conflict, Other)
    with pytest.raises(ValueError, match="GET /: status 409 is declared twice"):
        client.get("/", into=Item).or_none(409).or_raise(Conflict)


async def test_the_call_is_made_in_the_place_of_the_original(client: ExampleClient) -> None:
    original = client.get("/", into=Item)
    call = original.or_none(404)
    with pytest.raises(RuntimeError, match="has been made already"):
        original.or_none(410)
    with pytest.raises(RuntimeError, match="has been made already"):
        await original
    with pytest.warns(RuntimeWarning, match="GET / was never awaited"):
        del call
