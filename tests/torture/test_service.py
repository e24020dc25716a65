"""A typed client tells each hostile answer by its own errors, and within its own time."""

import asyncio
from dataclasses import replace

import pytest

from clients.orders import Orders
from gateway.transport.transport import Transport
from gateway.upstream.client import NoContent
from gateway.upstream.errors import (
    UpstreamError,
    UpstreamInvalid,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from tests.gateway.transport.scripted_server import HELLO, OK, Peer, scripted
from tests.torture.case import LATE, Case
from tests.torture.chunks import CHUNKED
from tests.torture.host import Host
from tests.torture.table import CASES


class Tortured(Orders):
    """A service that answers as a case says."""

    async def ask(self) -> None:
        """Whatever comes, if it is a success."""
        await self.get("/", into=NoContent)

    async def ask_once(self) -> None:
        """The same in a way that is never sent again."""
        await self.post("/", into=NoContent)


def expected(case: Case) -> type[UpstreamError] | None:
    """What the client must raise."""
    if case.ours.error is not None:
        return UpstreamTimeout if case.ours == LATE else UpstreamUnavailable
    if case.ours.status >= 500:
        return UpstreamUnavailable
    return UpstreamRefused if case.ours.status >= 300 else None


def put_by_get(case: Case) -> bool:
    plain = case.server == "plain" and not case.asked.scheme
    return plain and case.asked.method == "GET" and not case.asked.warm and not case.bug


CHOSEN = [case for case in CASES.values() if put_by_get(case)]


async def _raised(case: Case) -> type[UpstreamError] | None:
    timeout = 0.02 if case.ours == LATE else 5.0
    async with (
        scripted(Host(case, before=(HELLO[:-2], HELLO[-2:]))) as server,
        Tortured(server.url, timeout=timeout, transport=Transport()) as client,
    ):
        try:
            if case.asked.warm:
                await client.get("/", into=NoContent, timeout=5.0)
                await client.ask_once()
            else:
                await client.ask()
        except UpstreamError as exc:
            return type(exc)
        finally:
            await client.aclose()
            await server.over()
    return None


@pytest.mark.asyncio(loop_factories=["asyncio"])
async def test_every_answer_to_a_get(nothing_unheard: None) -> None:
    seen = {case.name: await _raised(case) for case in CHOSEN}
    assert seen == {case.name: expected(case) for case in CHOSEN}


@pytest.mark.asyncio(loop_factories=["asyncio"])
async def test_every_answer_after_one_that_came_in_two_segments(nothing_unheard: None) -> None:
    warm = [replace(case, asked=replace(case.asked, warm=True)) for case in CHOSEN]
    seen = {case.name: await _raised(case) for case in warm}
    assert seen == {case.name: expected(case) for case in CHOSEN}


@pytest.mark.parametrize(
    ("start", "forever"),
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
async def test_no_trickle_outlasts_a_call(
    nothing_unheard: None, start: bytes, forever: bytes
) -> None:
    gone = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        peer.send(start)
        try:
            while not peer.writer.is_closing():
                await peer.drip([forever])
                await asyncio.sleep(0.004)
        finally:
            gone.set()

    async with (
        scripted(script) as server,
        Tortured(server.url, timeout=0.05, transport=Transport()) as client,
    ):
        with pytest.raises(UpstreamTimeout):
            await client.ask()
        await asyncio.wait_for(gone.wait(), 5)
        await server.over()


async def test_an_oversized_answer_takes_its_connection_along(nothing_unheard: None) -> None:
    gone = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        peer.send(HELLO if gone.is_set() else OK + b"\r\n" + b"a" * 1_000_000)
        await peer.gone()
        gone.set()

    async with (
        scripted(script) as server,
        Tortured(server.url, max_body_bytes=1_000, transport=Transport()) as client,
    ):
        with pytest.raises(UpstreamInvalid, match="larger than 1000"):
            await client.ask()
        await asyncio.wait_for(gone.wait(), 5)
        await client.ask()
        assert server.connections == 2
        await client.aclose()
        await server.over()
