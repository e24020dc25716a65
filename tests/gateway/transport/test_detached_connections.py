"""Connections that take no slot of the pool, because their exchange is a stream."""

import asyncio

import httpx
import pytest

from gateway.transport.timeouts import RequestTimeouts
from tests.gateway.transport.open_pool import lend, lend_and_wait, open_pool


async def test_a_connection_for_a_stream_is_opened_beside_the_pool(no_leaks: None) -> None:
    timeouts = RequestTimeouts(pool=0, connect=5)
    async with open_pool() as (pool, server):
        pool.release(idle := await lend(pool))
        stream = await pool.open_detached(timeouts)
        assert idle.is_open
        assert repr(pool) == "<Pool size=1/1 idle=1 waiting=0>"
        in_use = await lend(pool)
        second = await pool.open_detached(timeouts)  # though every slot is taken
        pool.release(in_use)
        pool.remove(stream)  # its socket belongs to another protocol
        assert repr(pool) == "<Pool size=1/1 idle=1 waiting=0>"
        pool.release(second)  # no slot is free
        assert not second.is_open
        stream.abort()
        assert server.connections == 3


async def test_a_pool_that_opens_a_connection_for_a_stream_is_not_empty(no_leaks: None) -> None:
    async with open_pool() as (pool, _):
        opening = asyncio.create_task(pool.open_detached(RequestTimeouts(connect=5)))
        await asyncio.sleep(0)
        assert not pool.is_empty
        pool.remove(stream := await opening)
        assert pool.is_empty
        stream.abort()


async def test_no_connection_for_a_stream_outlives_the_pool(no_leaks: None) -> None:
    timeouts = RequestTimeouts(connect=5)
    async with open_pool() as (pool, _):
        stream = await pool.open_detached(timeouts)
        opening = asyncio.create_task(pool.open_detached(timeouts))
        await asyncio.sleep(0)
        await pool.aclose()
        assert not stream.is_open
        with pytest.raises(httpx.ConnectError):
            await opening
        with pytest.raises(httpx.ConnectError):
            await pool.open_detached(timeouts)
        pool.release(stream)
        assert pool.is_empty


async def test_a_detached_connection_frees_its_slot_and_takes_one_again(no_leaks: None) -> None:
    async with open_pool() as (pool, server):
        stream = await lend(pool)
        pool.detach(stream)
        pool.detach(stream)  # once is enough
        other = await lend(pool)
        assert other is not stream
        assert repr(pool) == "<Pool size=1/1 idle=0 waiting=0>"
        pool.release(stream)  # no slot is free
        assert not stream.is_open
        pool.release(other)
        pool.detach(again := await lend(pool))
        assert (repr(pool), pool.is_empty) == ("<Pool size=0/1 idle=0 waiting=0>", False)
        pool.release(again)
        assert repr(pool) == "<Pool size=1/1 idle=1 waiting=0>"
        assert await lend(pool) is again is other
        pool.release(again)
        assert server.connections == 2


async def test_a_detached_slot_goes_to_the_caller_that_waits(no_leaks: None) -> None:
    async with open_pool() as (pool, _):
        stream, waiting = await lend_and_wait(pool)
        pool.detach(stream)
        other = await waiting
        pool.release(other)
        pool.release(stream)
        assert repr(pool) == "<Pool size=1/1 idle=1 waiting=0>"
