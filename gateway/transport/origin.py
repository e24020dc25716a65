"""An origin: scheme, host and port, and how to open a connection to it."""

import asyncio
from contextvars import Context
from typing import NamedTuple, Self

import httpx

from gateway.event_loop import TimeoutAfterPendingIo
from gateway.transport.connection import Connection, ConnectionOwner
from gateway.transport.tls import ClientTls, InvalidTlsFile
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
        tls: ClientTls,
    ) -> Connection:
        """Open a connection and verify the server's certificate.

        `seconds` bounds DNS lookup, TCP and TLS handshakes together. A handshake that completes
        while the loop is busy is in time.

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
        except InvalidTlsFile as exc:
            raise httpx.ConnectError(f"{exc.name} {exc}") from exc
        except (OSError, UnicodeError) as exc:
            raise httpx.ConnectError(type(exc).__name__) from exc
        finally:
            if connection is None:
                _discard(opening)
        return connection

    async def _open(
        self, owner: ConnectionOwner, batcher: WriteBatcher, tls: ClientTls
    ) -> Connection:
        loop = asyncio.get_running_loop()
        if self.scheme == "http":
            _, connection = await loop.create_connection(
                lambda: Connection(owner, batcher), self.host, self.port
            )
            return connection
        _, connection = await loop.create_connection(
            lambda: Connection(owner, batcher),
            self.host,
            self.port,
            ssl=await tls.get_context(),
            server_hostname=tls.server_name,
        )
        return connection


def _discard(opening: asyncio.Task[Connection]) -> None:
    """Close a connection that was opened just when its caller timed out or was cancelled."""
    if opening.done() and not opening.cancelled() and opening.exception() is None:
        opening.result().abort()
