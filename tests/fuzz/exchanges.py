"""Exchanges over a real socket: a response of arbitrary bytes, then another call."""

import asyncio
from contextlib import AsyncExitStack, suppress
from typing import Self

import httpx

from gateway.transport.transport import Transport
from tests.fuzz.invariants import InvariantViolated
from tests.fuzz.reference_parser import ParseResult, parse_with_reference
from tests.gateway.transport.scripted_server import HELLO, Peer, ScriptedServer, serve_script
from tests.torture.case import Call
from tests.torture.case_server import run_pending_io
from tests.torture.runner import send_request


class ExchangeHarness:
    """A server that sends the bytes it is given, and a transport that calls it."""

    def __init__(self) -> None:
        self._stack = AsyncExitStack()
        self._pieces: list[bytes] | None = None
        self._keeps_open = False
        self._response_sent = asyncio.Event()
        self._server: ScriptedServer
        self._transport: Transport

    async def __aenter__(self) -> Self:
        """Start the server and open the transport."""
        self._server = await self._stack.enter_async_context(serve_script(self._serve))
        self._transport = await self._stack.enter_async_context(Transport())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the transport and stop the server."""
        await self._stack.aclose()

    async def exchange(self, pieces: list[bytes], *, bodiless: bool) -> None:
        """Answer one call with `pieces`, then make another call.

        `pieces` must not be empty: the transport would take the connection for stale and retry.

        Raises:
            InvariantViolated: an outcome differs from that of the reference parser.
        """
        expected = parse_with_reference(b"".join(pieces), bodiless=bodiless)
        self._pieces, self._keeps_open = pieces, expected.keeps_alive or bool(expected.rest)
        self._response_sent.clear()
        outcome = await send_request(
            self._transport, self._server.url, Call("HEAD" if bodiless else "GET")
        )
        await asyncio.wait_for(self._response_sent.wait(), 5)
        await run_pending_io()
        if outcome.error is httpx.ReadTimeout:
            raise InvariantViolated(f"the transport waits for more data after {expected}")
        if outcome.error is None and (outcome.status, outcome.body) != (
            expected.status,
            expected.body,
        ):
            raise InvariantViolated(f"{outcome}, but reference {expected}")
        if outcome.error is None and expected.state != "complete":
            raise InvariantViolated(f"{outcome}, but reference {expected}")
        await self._call_again(expected, failed=outcome.error is not None)

    async def _call_again(self, expected: ParseResult, *, failed: bool) -> None:
        before = self._server.connections
        outcome = await send_request(self._transport, self._server.url)
        if (outcome.status, outcome.body) != (200, b"hello"):
            raise InvariantViolated(f"the next call got {outcome}")
        reused = self._server.connections == before
        if reused != (expected.keeps_alive and not failed):
            raise InvariantViolated(f"connection reused: {reused}, after {expected}")

    async def _serve(self, peer: Peer) -> None:
        while True:
            await peer.read_request()
            pieces, self._pieces = self._pieces, None
            if pieces is None:
                peer.send(HELLO)
                continue
            try:
                await self._send_pieces(peer, pieces)
            finally:
                self._response_sent.set()

    async def _send_pieces(self, peer: Peer, pieces: list[bytes]) -> None:
        for piece in pieces:
            if not peer.writer.is_closing():
                peer.send(piece)
                await run_pending_io()
        if not self._keeps_open:
            with suppress(OSError):  # the client has closed the connection
                peer.writer.write_eof()
