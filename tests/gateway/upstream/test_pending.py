"""A call that has not been made yet is all that a coroutine is."""

import asyncio
import gc

import pytest

from gateway.transport.pool import Pool
from gateway.transport.transport import Transport
from tests.gateway.transport.scripted_server import OK, answering, scripted
from tests.gateway.upstream.example_client import Item, Shop

ITEM = OK + b"Content-Type: application/json\r\nContent-Length: 11\r\n\r\n" + b'{"sku":"A"}'


def pool_of(shop: Shop) -> Pool | None:
    """The pool of the client's transport, once there is one."""
    pools: dict[object, Pool] = shop._transport._pools  # type: ignore[attr-defined]
    return next(iter(pools.values()), None)


async def test_it_can_be_awaited_gathered_and_be_a_task(nothing_left: None) -> None:
    async with scripted(answering(ITEM, ITEM, ITEM)) as server, Shop(server.url) as shop:
        assert await shop.get("/", into=Item) == Item(sku="A")
        (gathered,) = await asyncio.gather(shop.get("/", into=Item))
        assert gathered == Item(sku="A")
        assert await asyncio.create_task(shop.get("/", into=Item)) == Item(sku="A")


async def test_it_is_not_made_twice(nothing_left: None) -> None:
    async with scripted(answering(ITEM)) as server, Shop(server.url) as shop:
        call = shop.get("/", into=Item)
        await call
        with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
            await call


async def test_what_has_begun_is_not_made_again(nothing_left: None) -> None:
    loop = asyncio.get_running_loop()
    async with scripted(answering(ITEM, ITEM)) as server, Shop(server.url) as shop:
        await shop.get("/", into=Item)
        call, completed = shop.get("/", into=Item), loop.create_future()
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


async def test_closing_one_that_has_begun_abandons_it(nothing_left: None) -> None:
    loop = asyncio.get_running_loop()
    async with scripted(answering(ITEM)) as server, Shop(server.url) as shop:
        await shop.get("/", into=Item)
        call, completed = shop.get("/", into=Item), loop.create_future()
        call.begin(loop.time(), 5.0, completed.set_result)
        call.close()
    assert not completed.done()


async def test_a_cancelled_task_ends_its_call(nothing_left: None) -> None:
    async with scripted(answering()) as server, Shop(server.url) as shop:
        task = asyncio.create_task(shop.get("/", into=Item))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_who_is_cancelled_with_an_answer_leaves_the_next_call_alone(
    nothing_left: None,
) -> None:
    loop = asyncio.get_running_loop()
    async with (
        scripted(answering(ITEM, ITEM)) as server,
        Shop(server.url, transport=Transport(max_connections=1)) as shop,
    ):
        first = asyncio.create_task(shop.get("/", into=Item))
        second, completed = shop.get("/", into=Item), loop.create_future()
        # As soon as the answer of the first is there, and before its task has looked at it.
        while not (pool := pool_of(shop)) or not pool._idle:  # noqa: ASYNC110
            await asyncio.sleep(0)
        second.begin(loop.time(), 5.0, completed.set_result)
        first.cancel()
        await asyncio.wait([first])
        assert first.cancelled()
        async with asyncio.timeout(5):
            await completed
        assert second.result() == Item(sku="A")


async def test_one_that_nobody_awaits_is_told_of() -> None:
    async with Shop("http://shop.invalid") as shop:
        with pytest.warns(RuntimeWarning, match=r"the call GET /items/\{sku\} was never awaited"):
            shop.get("/items/{sku}", sku="A", into=Item)


async def test_one_that_was_closed_is_not_told_of(recwarn: pytest.WarningsRecorder) -> None:
    async with Shop("http://shop.invalid") as shop:
        shop.get("/", into=Item).close()
        gc.collect()
    assert [str(warning.message) for warning in recwarn] == []
