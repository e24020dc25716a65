"""A streamed exchange on a connection without a socket: its states, its ends, and both tasks."""

import asyncio

import httpx
import pytest

from gateway.transport.connection import Connection
from gateway.transport.exchange import Exchange, ExchangeState
from gateway.transport.raw_response import RawResponse
from tests.gateway.transport.scripted_server import HELLO, OK
from tests.gateway.transport.test_connection import FakeOwner, FakeSocket, close, connect, turns

HEAD = b"POST / HTTP/1.1\r\nHost: service.test\r\n\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


def begin(**options: bool) -> tuple[Exchange, Connection, FakeOwner]:
    connection, owner = connect()
    exchange = Exchange(connection)
    exchange.begin(HEAD, **options)
    return exchange, connection, owner


async def test_the_states_of_an_exchange(no_leaks: None) -> None:
    exchange, connection, owner = begin(has_more=True)
    states = [exchange.state]
    exchange.end_request()
    states.append(exchange.state)
    connection.data_received(CHUNKED + b"5\r\nhello\r\n")
    states.append(exchange.state)
    connection.data_received(b"0\r\nx-a: 1\r\n\r\n")
    states.append(exchange.state)
    assert (await exchange.receive_head()).status == 200
    assert await exchange.receive_body() == b"hello"
    assert exchange.trailers == [(b"x-a", b"1")]
    exchange.close()
    states.append(exchange.state)
    assert owner.is_reusable == [True]
    assert states == [
        ExchangeState.SENDING,
        ExchangeState.AWAITING_HEAD,
        ExchangeState.RECEIVING,
        ExchangeState.COMPLETE,
        ExchangeState.CLOSED,
    ]
    await close(connection)


async def test_a_simple_response_releases_the_connection_before_it_is_read(no_leaks: None) -> None:
    exchange, connection, owner = begin()
    await turns()
    connection.data_received(HELLO)
    assert owner.is_reusable == [True]
    response = await exchange.receive_head()
    assert isinstance(response, RawResponse)
    assert response.body == b"hello"
    exchange.close()
    assert owner.is_reusable == [True]  # once
    await close(connection)


async def test_a_complete_response_before_the_end_of_the_request_ends_the_connection(
    no_leaks: None,
) -> None:
    exchange, connection, owner = begin(has_more=True)
    connection.data_received(HELLO)
    assert (await exchange.receive_head()).status == 200
    await exchange.write(b"more")
    exchange.close()
    assert owner.is_reusable == [False]
    await connection.closed


@pytest.mark.parametrize("way", ["deadline", "fail", "lost"])
async def test_a_failure_reaches_both_tasks(no_leaks: None, way: str) -> None:
    exchange, connection, owner = begin(has_more=True)
    connection.pause_writing()
    receiving = asyncio.create_task(exchange.receive_head())
    sending = asyncio.create_task(exchange.write(b"x"))
    await turns()
    if way == "deadline":
        exchange.set_deadline(asyncio.get_running_loop().time())
    elif way == "fail":
        exchange.fail(httpx.WriteError("the body failed"))
    else:
        connection.connection_lost(ConnectionResetError())
    results = await asyncio.gather(receiving, sending, return_exceptions=True)
    assert all(isinstance(result, httpx.TransportError) for result in results)
    assert exchange.state is ExchangeState.FAILED
    exchange.close()
    assert owner.is_reusable == [False]


async def test_a_deadline_that_is_set_anew_does_not_end_the_exchange(no_leaks: None) -> None:
    exchange, connection, _ = begin()
    loop = asyncio.get_running_loop()
    exchange.set_deadline(loop.time())
    await turns()
    exchange.set_deadline(loop.time() + 60)  # a byte has arrived
    await asyncio.sleep(0.01)
    assert exchange.state is ExchangeState.AWAITING_HEAD
    exchange.close()
    await connection.closed


async def test_interim_responses_come_before_the_head(no_leaks: None) -> None:
    exchange, connection, _ = begin()
    exchange.collect_interim()
    await turns()
    connection.data_received(b"HTTP/1.1 103 Hints\r\nLink: </a>\r\n\r\n" + CHUNKED)
    statuses = [(await exchange.receive_head()).status for _ in range(2)]
    assert statuses == [103, 200]
    exchange.close()
    await connection.closed


async def test_the_write_buffer_holds_the_sender_back(no_leaks: None) -> None:
    exchange, connection, _ = begin(has_more=True)
    connection.pause_writing()
    sending = asyncio.create_task(exchange.write(b"5\r\n", b"hello", b"\r\n"))
    await turns()
    assert not sending.done()
    connection.resume_writing()
    await sending
    exchange.close()
    await connection.closed


async def test_no_more_is_sent_once_the_response_is_complete(no_leaks: None) -> None:
    exchange, connection, owner = begin(has_more=True)
    assert await exchange.write(b"first")
    connection.pause_writing()
    sending = asyncio.create_task(exchange.write(b"second"))
    await turns()
    connection.data_received(HELLO)
    assert await sending
    assert not await exchange.write(b"third")
    socket = connection._transport
    assert isinstance(socket, FakeSocket)
    assert socket.written == [HEAD, b"first", b"second"]
    exchange.close()
    assert owner.is_reusable == [False]
    await connection.closed


async def test_an_interim_response_is_not_the_head(no_leaks: None) -> None:
    exchange, connection, _ = begin(has_more=True)
    connection.data_received(b"HTTP/1.1 103 Hints\r\nLink: </a>\r\n\r\n")
    assert not exchange.has_head
    connection.data_received(CHUNKED)
    assert exchange.has_head
    exchange.close()
    await connection.closed
