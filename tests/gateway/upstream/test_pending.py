"""A pending call behaves like a coroutine: awaited once, closed, or reported as never awaited."""

import asyncio
import gc

import pytest

from gateway.transport.pool import Pool
from gateway.transport.transport import Transport
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
        async with asyncio.timeout(5):
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
        async with asyncio.timeout(5):
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
