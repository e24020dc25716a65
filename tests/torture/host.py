"""A server that does what a case says to its first connection, and answers all others well."""

import asyncio
import ssl
from collections.abc import Sequence
from contextlib import suppress

from tests.gateway.transport.scripted_server import HELLO, Peer
from tests.torture.case import Case


class Host:
    """The script of such a server, and what it saw.

    `requests` counts those that came since the case began, `kept` is true once its
    connection was used again; `played` and `ended` tell when the case, and that connection, are
    over. A warm connection has answered before, in so many segments.
    """

    def __init__(self, case: Case, *, before: Sequence[bytes] = (HELLO,)) -> None:
        self.case = case
        self._before = before
        self._began = False
        self.requests = 0
        self.kept = False
        self.played = asyncio.Event()
        self.ended = asyncio.Event()

    async def __call__(self, peer: Peer) -> None:
        """Serve one connection."""
        if self._began:
            await self._answer_well(peer)
        self._began = True
        try:
            with suppress(ssl.SSLError):
                await self._play(Counted(peer, self))
                self.played.set()
                await peer.request()
                self.kept = True
                peer.send(HELLO)
                await peer.gone()
        finally:
            self.played.set()
            self.ended.set()

    async def _play(self, peer: "Counted") -> None:
        if self.case.asked.warm:
            await peer.request()
            self.requests = 0
            for segment in self._before:
                peer.send(segment)
                await settled()
        with suppress(ConnectionError):
            await self.case.does(peer)

    async def _answer_well(self, peer: Peer) -> None:
        while True:
            await peer.request()
            self.requests += 1
            peer.send(HELLO)


async def settled() -> None:
    """Let each side see what the other did."""
    for _ in range(6):
        await asyncio.sleep(0)


class Counted(Peer):
    """The server's end of the first connection; the host knows of every request."""

    def __init__(self, peer: Peer, host: Host) -> None:
        super().__init__(peer.reader, peer.writer)
        self._host = host

    async def request(self) -> bytes:
        """The next request."""
        request = await super().request()
        self._host.requests += 1
        return request
