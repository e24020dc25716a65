"""A server that runs a case's script on its first connection and answers normally on all others."""

import asyncio
import ssl
from collections.abc import Sequence
from contextlib import suppress

from tests.gateway.transport.scripted_server import HELLO, Peer
from tests.torture.case import Case


class CaseServer:
    """The connection handler of that server, and what it observed.

    For a warm call the first connection answers one request before the script runs; `warm_up`
    holds the segments of that response. `requests` counts the requests since the script started.
    `connection_reused` is true if a request arrived on the first connection after the script.
    `script_done` and `connection_ended` are set when the script returns and when the first
    connection ends.
    """

    def __init__(self, case: Case, *, warm_up: Sequence[bytes] = (HELLO,)) -> None:
        self.case = case
        self._warm_up = warm_up
        self._has_started = False
        self.requests = 0
        self.connection_reused = False
        self.script_done = asyncio.Event()
        self.connection_ended = asyncio.Event()

    async def __call__(self, peer: Peer) -> None:
        """Serve one connection."""
        if self._has_started:
            await self._answer_normally(peer)
        self._has_started = True
        try:
            with suppress(ssl.SSLError):
                await self._run_script(CountingPeer(peer, self))
                self.script_done.set()
                await peer.read_request()
                self.connection_reused = True
                peer.send(HELLO)
                await peer.wait_closed()
        finally:
            self.script_done.set()
            self.connection_ended.set()

    async def _run_script(self, peer: "CountingPeer") -> None:
        if self.case.call.warm:
            await peer.read_request()
            self.requests = 0
            for segment in self._warm_up:
                peer.send(segment)
                await run_pending_io()
        with suppress(ConnectionError):
            await self.case.script(peer)

    async def _answer_normally(self, peer: Peer) -> None:
        while True:
            await peer.read_request()
            self.requests += 1
            peer.send(HELLO)


class CountingPeer(Peer):
    """The server's end of the first connection; it counts the requests that it reads."""

    def __init__(self, peer: Peer, server: CaseServer) -> None:
        super().__init__(peer.reader, peer.writer)
        self._server = server

    async def read_request(self) -> bytes:
        """Read the next request and count it."""
        request = await super().read_request()
        self._server.requests += 1
        return request


async def run_pending_io() -> None:
    """Run the event loop until both ends have read what the other has written."""
    for _ in range(6):
        await asyncio.sleep(0)
