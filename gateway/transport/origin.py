"""Where connections go: scheme, host and port, and how one is opened there."""

import asyncio
import ssl
from functools import cache
from typing import NamedTuple, Self

import httpx

from gateway.transport.connection import Connection, ConnectionOwner
from gateway.transport.write_batch import WriteBatcher

_PORTS = {"http": 80, "https": 443}


class Origin(NamedTuple):
    """Scheme, host and port (RFC 9110, 4.3.1)."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: httpx.URL) -> Self:
        """The origin of `url`.

        Raises:
            httpx.UnsupportedProtocol: it is neither http nor https.
        """
        if url.scheme not in _PORTS:
            raise httpx.UnsupportedProtocol("neither http nor https")
        return cls(url.scheme, url.raw_host.decode("ascii"), url.port or _PORTS[url.scheme])

    async def connect(
        self,
        home: ConnectionOwner,
        outbox: WriteBatcher,
        seconds: float | None,
        *,
        tls: ssl.SSLContext | None,
    ) -> Connection:
        """Open a connection, its certificate verified; `tls` None takes the system's roots.

        Raises:
            httpx.ConnectTimeout: not within `seconds`, handshake included.
            httpx.ConnectError: the host is unknown, refuses, or cannot prove who it is.
        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(seconds):
                context = await self._context(tls)
                _, connection = await loop.create_connection(
                    lambda: Connection(home, outbox), self.host, self.port, ssl=context
                )
        except TimeoutError as exc:
            raise httpx.ConnectTimeout("not connected in time") from exc
        except (OSError, UnicodeError) as exc:
            raise httpx.ConnectError(type(exc).__name__) from exc
        return connection

    async def _context(self, tls: ssl.SSLContext | None) -> ssl.SSLContext | None:
        if self.scheme == "http":
            return None
        return tls or await asyncio.to_thread(_system_roots)


@cache
def _system_roots() -> ssl.SSLContext:
    # Reading the roots takes tens of milliseconds: once a process, and never on the loop.
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
