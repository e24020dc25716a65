"""Whole exchanges: any bytes as the answer on a real socket, then another call."""

import asyncio
from contextlib import AsyncExitStack, suppress
from typing import Self

import httpx

from gateway.transport.transport import Transport
from tests.fuzz.invariants import Broken
from tests.fuzz.reference import Reading, read
from tests.gateway.transport.scripted_server import HELLO, Peer, Scripted, scripted
from tests.torture.case import Call
from tests.torture.case_server import run_pending_io
from tests.torture.runner import ask


class Exchanges:
    """A server that answers with what it is given, and a transport that asks it."""

    def __init__(self) -> None:
        self._stack = AsyncExitStack()
        self._pieces: list[bytes] | None = None
        self._stays = False
        self._sent = asyncio.Event()
        self._server: Scripted
        self._transport: Transport

    async def __aenter__(self) -> Self:
        """Start both."""
        self._server = await self._stack.enter_async_context(scripted(self._serve))
        self._transport = await self._stack.enter_async_context(Transport())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop both."""
        await self._stack.aclose()

    async def put(self, pieces: list[bytes], *, bodiless: bool) -> None:
        """Answer a call with `pieces`, at least one, then make another.

        With none a kept connection would be a stale one, and the request sent again.

        Raises:
            Broken: what came of either is not what the reference says.
        """
        expected = read(b"".join(pieces), bodiless=bodiless)
        self._pieces, self._stays = pieces, expected.keeps_alive or bool(expected.rest)
        self._sent.clear()
        seen = await ask(self._transport, self._server.url, Call("HEAD" if bodiless else "GET"))
        await asyncio.wait_for(self._sent.wait(), 5)
        await run_pending_io()
        if seen.error is httpx.ReadTimeout:
            raise Broken(f"ours waits for more than {expected}")
        if seen.error is None and (seen.status, seen.body) != (expected.status, expected.body):
            raise Broken(f"{seen}, but {expected}")
        if seen.error is None and expected.state != "whole":
            raise Broken(f"{seen}, but {expected}")
        await self._again(expected, failed=seen.error is not None)

    async def _again(self, expected: Reading, *, failed: bool) -> None:
        before = self._server.connections
        seen = await ask(self._transport, self._server.url)
        if (seen.status, seen.body) != (200, b"hello"):
            raise Broken(f"the next call got {seen}")
        used_again = self._server.connections == before
        if used_again != (expected.keeps_alive and not failed):
            raise Broken(f"used again: {used_again}, after {expected}")

    async def _serve(self, peer: Peer) -> None:
        while True:
            await peer.request()
            pieces, self._pieces = self._pieces, None
            if pieces is None:
                peer.send(HELLO)
                continue
            try:
                await self._answer(peer, pieces)
            finally:
                self._sent.set()

    async def _answer(self, peer: Peer, pieces: list[bytes]) -> None:
        for piece in pieces:
            if not peer.writer.is_closing():
                peer.send(piece)
                await run_pending_io()
        if not self._stays:
            with suppress(OSError):  # the client has left
                peer.writer.write_eof()
