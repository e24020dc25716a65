"""An origin: scheme, host and port, and how to open a connection to it."""

import asyncio
import ssl
from contextvars import Context
from functools import cache
from typing import NamedTuple, Self

import httpx

from gateway.event_loop import TimeoutAfterPendingIo
from gateway.transport.connection import Connection, ConnectionOwner
from gateway.transport.write_batch import WriteBatcher

_DEFAULT_PORTS = {"http": 80, "https": 443}


class Origin(NamedTuple):
    """Scheme, host and port (RFC 9110, 4.3.1)."""

    scheme: str
    host: str
    port: int

    @classmethod
    def from_url(cls, url: httpx.URL) -> Self:
        """Return the origin of `url`.

        Raises:
            httpx.UnsupportedProtocol: its scheme is neither http nor https.
        """
        if url.scheme not in _DEFAULT_PORTS:
            raise httpx.UnsupportedProtocol(
                f"unsupported URL scheme {url.scheme!r}: use http or https"
            )
        port = url.port or _DEFAULT_PORTS[url.scheme]
        return cls(url.scheme, url.raw_host.decode("ascii"), port)

    async def connect(
        self,
        owner: ConnectionOwner,
        batcher: WriteBatcher,
        seconds: float | None,
        *,
        tls: ssl.SSLContext | None,
    ) -> Connection:
        """Open a connection and verify the server's certificate.

        `seconds` bounds DNS lookup, TCP and TLS handshakes together; `tls` None trusts the system's
        root certificates. A handshake that completes while the loop is busy is in time.

        Raises:
            httpx.ConnectTimeout: it took longer than `seconds`.
            httpx.ConnectError: the host is unknown, refuses, or has no valid certificate.
        """
        # The event loop runs the callbacks of a connection in the context in which it was opened.
        # An empty one, so that the connection does not keep the token and the headers of the
        # request that happened to open it.
        opening = asyncio.get_running_loop().create_task(
            self._open(owner, batcher, tls), name="connect", context=Context()
        )
        connection: Connection | None = None
        try:
            async with TimeoutAfterPendingIo(seconds):
                connection = await opening
        except TimeoutError as exc:
            message = f"could not connect to {self.host}:{self.port} in time"
            raise httpx.ConnectTimeout(message) from exc
        except (OSError, UnicodeError) as exc:
            raise httpx.ConnectError(type(exc).__name__) from exc
        finally:
            if connection is None:
                _discard(opening)
        return connection

    async def _open(
        self, owner: ConnectionOwner, batcher: WriteBatcher, tls: ssl.SSLContext | None
    ) -> Connection:
        context = await self._create_tls_context(tls)
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: Connection(owner, batcher), self.host, self.port, ssl=context
        )
        return connection

    async def _create_tls_context(self, tls: ssl.SSLContext | None) -> ssl.SSLContext | None:
        if self.scheme == "http":
            return None
        return tls or await asyncio.to_thread(_load_system_roots)


def _discard(opening: asyncio.Task[Connection]) -> None:
    """Close a connection that was opened just when its caller timed out or was cancelled."""
    if opening.done() and not opening.cancelled() and opening.exception() is None:
        opening.result().abort()


@cache
def _load_system_roots() -> ssl.SSLContext:
    # Reading the roots takes tens of milliseconds: once per process, and never on the loop.
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
