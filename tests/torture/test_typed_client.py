"""A typed client maps each hostile response to its own errors, and within its own timeout."""

import asyncio
from dataclasses import replace

import pytest

from gateway.transport.transport import Transport
from gateway.upstream.client import NoContent
from gateway.upstream.errors import (
    UpstreamError,
    UpstreamInvalid,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from tests.gateway.transport.scripted_server import HELLO, OK, Peer, serve_script
from tests.sample.clients.orders import Orders
from tests.torture.case import READ_TIMEOUT, Case
from tests.torture.case_server import CaseServer
from tests.torture.chunked import CHUNKED
from tests.torture.table import CASES


class HostileService(Orders):
    """The client of a service that responds as a case says."""

    async def fetch(self) -> None:
        """Send a GET, and accept any successful response."""
        await self.get("/", into=NoContent)

    async def fetch_pages(self) -> None:
        """Send a GET for each page, and follow the `Link` header."""
        await self.get_pages("/", into=NoContent, max_pages=2)

    async def submit(self) -> None:
        """Send a POST, which is never retried."""
        await self.post("/", into=NoContent)


def map_to_upstream_error(case: Case) -> type[UpstreamError] | None:
    """Return the error that the typed client must raise; None if the call succeeds."""
    if case.expected.error is not None:
        return UpstreamTimeout if case.expected == READ_TIMEOUT else UpstreamUnavailable
    if case.expected.status >= 500:
        return UpstreamUnavailable
    return UpstreamRefused if case.expected.status >= 300 else None


def is_plain_get(case: Case) -> bool:
    plain = case.server == "plain" and not case.call.scheme
    return plain and case.call.method == "GET" and not case.call.warm and not case.known_bug


PLAIN_GETS = [case for case in CASES.values() if is_plain_get(case)]


async def _run_typed_call(case: Case) -> type[UpstreamError] | None:
    timeout = 0.02 if case.expected == READ_TIMEOUT else 5.0
    async with (
        serve_script(CaseServer(case, warm_up=(HELLO[:-2], HELLO[-2:]))) as server,
        HostileService(server.url, timeout=timeout, transport=Transport()) as client,
    ):
        try:
            if case.call.warm:
                await client.get("/", into=NoContent, timeout=5.0)
                await client.submit()
            else:
                await client.fetch()
        except UpstreamError as exc:
            return type(exc)
        finally:
            await client.aclose()
            await server.wait_done()
    return None


@pytest.mark.asyncio(loop_factories=["asyncio"])
async def test_every_response_to_a_get(no_unhandled_errors: None) -> None:
    raised = {case.name: await _run_typed_call(case) for case in PLAIN_GETS}
    assert raised == {case.name: map_to_upstream_error(case) for case in PLAIN_GETS}


@pytest.mark.asyncio(loop_factories=["asyncio"])
async def test_every_response_on_a_warm_connection(no_unhandled_errors: None) -> None:
    # The warm-up response comes in two segments, so the general parser has read one before.
    warm = [replace(case, call=replace(case.call, warm=True)) for case in PLAIN_GETS]
    raised = {case.name: await _run_typed_call(case) for case in warm}
    assert raised == {case.name: map_to_upstream_error(case) for case in PLAIN_GETS}


@pytest.mark.parametrize(
    ("start", "repeated"),
    [
        (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
        (OK, b"X: y\r\n"),
        (OK + b"\r\n", b"a"),
        (OK + b"Content-Length: 1000000\r\n\r\n", b"a"),
        (CHUNKED, b"1\r\na\r\n"),
        (CHUNKED + b"5;", b"a"),
        (CHUNKED + b"0\r\n", b"X: y\r\n"),
    ],
)
async def test_a_slow_endless_response_ends_at_the_timeout(
    no_unhandled_errors: None, start: bytes, repeated: bytes
) -> None:
    connection_closed = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.read_request()
        peer.send(start)
        try:
            while not peer.writer.is_closing():
                await peer.drip([repeated])
                await asyncio.sleep(0.004)
        finally:
            connection_closed.set()

    async with (
        serve_script(script) as server,
        HostileService(server.url, timeout=0.05, transport=Transport()) as client,
    ):
        with pytest.raises(UpstreamTimeout):
            await client.fetch()
        await asyncio.wait_for(connection_closed.wait(), 5)
        await server.wait_done()


async def test_an_oversized_response_closes_its_connection(no_unhandled_errors: None) -> None:
    connection_closed = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.read_request()
        peer.send(HELLO if connection_closed.is_set() else OK + b"\r\n" + b"a" * 1_000_000)
        await peer.wait_closed()
        connection_closed.set()

    async with (
        serve_script(script) as server,
        HostileService(server.url, max_body_bytes=1_000, transport=Transport()) as client,
    ):
        with pytest.raises(UpstreamInvalid, match="larger than 1000"):
            await client.fetch()
        await asyncio.wait_for(connection_closed.wait(), 5)
        await client.fetch()
        assert server.connections == 2
        await client.aclose()
        await server.wait_done()


@pytest.mark.parametrize("piece", [b"<", b"<>;", b'<>;a="'])
async def test_a_link_header_that_would_take_long_to_parse(
    piece: bytes, no_unhandled_errors: None
) -> None:
    async def script(peer: Peer) -> None:
        await peer.read_request()
        link = piece * (32_000 // len(piece))
        peer.send(OK + b"Link: " + link + b"\r\nContent-Length: 0\r\n\r\n")

    async with (
        serve_script(script) as server,
        HostileService(server.url, transport=Transport()) as client,
    ):
        with pytest.raises(UpstreamInvalid, match="the Link header has more than 8192 characters"):
            await client.fetch_pages()
        await client.aclose()
        await server.wait_done()
