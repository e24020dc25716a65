"""Exchanges that take too long: the error names the timeout that ended them, and the slow side."""

import asyncio
import json
import logging
import socket
from contextlib import suppress
from typing import Any, cast

import pytest

from tests.gateway.proxy.serve_proxy import Caller, serve_proxy, wait_until
from tests.gateway.transport.scripted_server import HELLO, OK, Peer

POST = b"POST /service/x HTTP/1.1\r\nHost: gateway\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
LONG = POST + b"Content-Length: 40000000\r\n\r\n"


both_transports = pytest.mark.parametrize("transport", ["lockgate", "httpx"])


async def read_on(peer: Peer) -> None:
    await peer.wait_closed()


async def read_nothing(peer: Peer) -> None:
    peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
    try:
        await asyncio.Event().wait()
    finally:
        peer.writer.transport.abort()


async def read_all_and_wait(peer: Peer) -> None:
    await peer.read_request()
    await peer.wait_closed()


async def send_slowly(caller: Caller) -> None:
    caller.send(CHUNKED)
    with suppress(ConnectionError):
        while True:
            caller.send(b"1\r\na\r\n")
            await caller.writer.drain()
            await asyncio.sleep(0.02)


def get_errors(caplog: pytest.LogCaptureFixture) -> list[object]:
    lines = [vars(it)["fields"] for it in caplog.records if it.name == "lockgate.access"]
    return [fields.get("error") for fields in lines]


@both_transports
async def test_a_caller_that_stalls_gets_408_and_the_end_of_its_connection(
    no_leaks: None, caplog: pytest.LogCaptureFixture, transport: str
) -> None:
    caplog.set_level(logging.INFO, "lockgate.access")
    service = {"transport": transport}
    async with serve_proxy(read_on, service=service, idle_timeout=0.1) as proxy:
        caller = await proxy.connect()
        caller.send(CHUNKED + b"1\r\na\r\n")
        head = await caller.read_head()
        assert head.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
        assert b"\r\nconnection: close\r\n" in head
        document = json.loads(await caller.read_to_the_end())
        assert document["detail"] == "No byte of the request body arrived within 0.1 s."
        assert proxy.streams.count == 0
    assert get_errors(caplog) == ["No byte of the request body arrived within 0.1 s (idle_timeout)"]


@both_transports
async def test_a_caller_that_sends_until_the_total_timeout_gets_408(
    no_leaks: None, caplog: pytest.LogCaptureFixture, transport: str
) -> None:
    caplog.set_level(logging.INFO, "lockgate.access")
    service = {"transport": transport}
    async with serve_proxy(read_on, service=service, total_timeout=0.3) as proxy:
        caller = await proxy.connect()
        sending = asyncio.create_task(send_slowly(caller))
        assert (await caller.read_head()).startswith(b"HTTP/1.1 408 ")
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
    assert get_errors(caplog) == ["The request body did not arrive within 0.3 s (total_timeout)"]


@both_transports
@pytest.mark.parametrize(
    ("limit", "reason"),
    [
        ("idle_timeout", "the service does not read the request body, 0.3 s given"),
        ("total_timeout", "TimeoutError, 0.3 s given"),
    ],
)
async def test_a_service_that_does_not_read_is_a_504_that_names_the_timeout(
    no_leaks: None, caplog: pytest.LogCaptureFixture, transport: str, limit: str, reason: str
) -> None:
    caplog.set_level(logging.INFO, "lockgate.access")
    service, limits = {"transport": transport}, dict[str, Any]({limit: 0.3})
    async with serve_proxy(read_nothing, service=service, **limits) as proxy:
        caller = await proxy.connect()
        caller.send(LONG + b"x" * 40_000_000)
        assert (await caller.read_head()).startswith(b"HTTP/1.1 504 ")
        caller.writer.transport.abort()
        await wait_until(lambda: proxy.in_flight == 0)
    operation = "service POST /service/{path:path}: timeout"
    assert get_errors(caplog) == [f"{operation} ({reason} ({limit}))"]


@both_transports
async def test_a_service_that_does_not_respond_after_the_body_exceeds_its_timeout(
    no_leaks: None, caplog: pytest.LogCaptureFixture, transport: str
) -> None:
    caplog.set_level(logging.INFO, "lockgate.access")
    service = {"transport": transport, "timeout": 0.2}
    async with serve_proxy(read_all_and_wait, service=service, idle_timeout=5) as proxy:
        caller = await proxy.connect()
        caller.send(CHUNKED + b"1\r\na\r\n")
        await asyncio.sleep(0.01)
        caller.send(b"0\r\n\r\n")
        assert (await caller.read_head()).startswith(b"HTTP/1.1 504 ")
    operation = "service POST /service/{path:path}: timeout"
    assert get_errors(caplog) == [f"{operation} (ReadTimeout, 0.2 s given (timeout))"]


async def begin_response(peer: Peer) -> None:
    """Send the head and the first chunk of a response, and leave it incomplete."""
    await peer.reader.readuntil(b"\r\n\r\n")
    peer.send(OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n")
    await peer.wait_closed()


async def test_a_caller_that_stalls_after_the_response_has_begun_gets_no_complete_one(
    no_leaks: None, caplog: pytest.LogCaptureFixture
) -> None:
    async with serve_proxy(begin_response, idle_timeout=0.2) as proxy:
        caller = await proxy.connect()
        caller.send(CHUNKED + b"1\r\na\r\n")
        assert (await caller.read_head()).startswith(b"HTTP/1.1 200 ")
        assert await caller.read_to_the_end() == b"1\r\nx\r\n"
    [record] = [it for it in caplog.records if it.message.startswith("proxy.response_truncated ")]
    reason = "No byte of the request body arrived within 0.2 s (idle_timeout)"
    assert vars(record)["fields"]["reason"] == reason


async def test_an_interim_response_does_not_prolong_the_timeout_of_the_head(
    no_leaks: None, caplog: pytest.LogCaptureFixture
) -> None:
    async def script(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        await peer.wait_closed()

    caplog.set_level(logging.INFO, "lockgate.access")
    async with serve_proxy(script, timeout=0.2, idle_timeout=60) as proxy:
        caller = await proxy.connect()
        caller.send(CHUNKED.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))
        assert (await caller.read_head()).startswith(b"HTTP/1.1 100 ")
        caller.send(b"1\r\na\r\n0\r\n\r\n")
        assert (await caller.read_head()).startswith(b"HTTP/1.1 504 ")
    operation = "service POST /service/{path:path}: timeout"
    assert get_errors(caplog) == [f"{operation} (ReadTimeout, 0.2 s given (timeout))"]


async def test_a_service_that_reads_slowly_but_steadily_gets_the_whole_body(
    no_leaks: None,
) -> None:
    """Within the idle timeout it takes less than the write buffer of the gateway holds."""
    size = 700_000

    async def script(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        [connection] = proxy.pool._connections
        for transport, option, limit in (
            (peer.writer.transport, socket.SO_RCVBUF, 32_768),
            (connection._transport, socket.SO_SNDBUF, 65_536),
        ):
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, option, limit)
        reading = cast("asyncio.Transport", peer.writer.transport)
        ready.set()
        received = 0
        while received < size:
            reading.pause_reading()
            await asyncio.sleep(0.1)
            reading.resume_reading()
            received += len(await peer.reader.read(size))
        peer.send(HELLO)
        await peer.wait_closed()

    ready = asyncio.Event()
    async with serve_proxy(script, idle_timeout=0.4, service={"timeout": 10}) as proxy:
        caller = await proxy.connect()
        caller.send(POST + b"Content-Length: %d\r\n\r\n" % size)
        await asyncio.wait_for(ready.wait(), 60)
        caller.send(b"x" * size)
        assert await caller.read_body() == b"hello"


async def test_a_body_that_is_too_large_after_the_response_has_begun_truncates_it(
    no_leaks: None, caplog: pytest.LogCaptureFixture
) -> None:
    async with serve_proxy(begin_response, max_body_bytes=10) as proxy:
        caller = await proxy.connect()
        caller.send(CHUNKED + b"1\r\na\r\n")
        assert (await caller.read_head()).startswith(b"HTTP/1.1 200 ")
        assert await caller.read(6) == b"1\r\nx\r\n"
        caller.send(b"b\r\nhello hello\r\n")
        assert await caller.read_to_the_end() == b""
    [record] = [it for it in caplog.records if it.levelno >= logging.WARNING]
    assert record.getMessage().startswith("proxy.response_truncated ")
    assert vars(record)["fields"]["reason"] == "The request body exceeds the maximum size."


@both_transports
async def test_the_idle_timeout_does_not_run_while_the_caller_does_not_read(
    no_leaks: None, transport: str
) -> None:
    size = 12_000_000

    async def script(peer: Peer) -> None:
        await peer.read_request()
        peer.send(OK + b"Content-Length: %d\r\n\r\n" % (size + 5) + b"x" * size)
        await peer.writer.drain()
        await asyncio.sleep(0.1)
        peer.send(b"hello")
        await peer.wait_closed()

    service = {"transport": transport}
    async with serve_proxy(script, idle_timeout=0.4, service=service) as proxy:
        caller = await proxy.connect()
        caller.writer.transport.pause_reading()  # type: ignore[attr-defined]
        caller.get()
        await asyncio.sleep(1)
        caller.writer.transport.resume_reading()  # type: ignore[attr-defined]
        assert len(await caller.read_body()) == size + 5
