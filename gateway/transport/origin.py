"""An origin: scheme, host and port, and the opening of connections to it."""

import asyncio
from contextvars import Context
from typing import NamedTuple, Self

import httpx

from gateway.pending_io import TimeoutAfterPendingIo
from gateway.transport.connection import Connection, ConnectionOwner
from gateway.transport.happy_eyeballs import Attempt, HostConnector, HostUnreachable
from gateway.transport.resolver import SocketAddress
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


class OriginConnector:
    """Opens the connections of one pool to an origin, and remembers addresses that failed."""

    def __init__(self, origin: Origin, tls: ClientTls) -> None:
        self._origin = origin
        self._host = HostConnector(origin.host, origin.port)
        self._tls = tls

    async def connect(
        self, owner: ConnectionOwner, batcher: WriteBatcher, seconds: float | None
    ) -> Connection:
        """Open a connection and verify the server's certificate.

        `seconds` bounds DNS lookup, TCP and TLS handshakes together. A handshake that completes
        while the loop is busy is in time.

        Raises:
            httpx.ConnectTimeout: it took longer than `seconds`.
            httpx.ConnectError: the host is unknown, refuses, or has no valid certificate. Its cause
                is a HostUnreachable, whose message has the reason for each address.
        """
        # The event loop runs the callbacks of a connection in the context in which it was opened.
        # An empty one, so that the connection does not keep the token and the headers of the
        # request that happened to open it.
        in_handshake = set[SocketAddress]()
        opening = asyncio.get_running_loop().create_task(
            self._open(owner, batcher, seconds, in_handshake), name="connect", context=Context()
        )
        connection: Connection | None = None
        try:
            async with TimeoutAfterPendingIo(seconds):
                connection = await opening
        except TimeoutError:
            step = "complete the TLS handshake with" if in_handshake else "connect to"
            reason = f"could not {step} {self._host} within {seconds:.3g} s"
            raise httpx.ConnectTimeout(reason) from HostUnreachable(reason)
        except InvalidTlsFile as exc:
            reason = f"tls.{exc.name} {exc}"
            raise httpx.ConnectError(reason) from HostUnreachable(reason)
        except (OSError, UnicodeError) as exc:
            raise httpx.ConnectError(str(exc) or type(exc).__name__) from exc
        finally:
            if connection is None:
                _discard(opening)
        return connection

    async def _open(
        self,
        owner: ConnectionOwner,
        batcher: WriteBatcher,
        seconds: float | None,
        in_handshake: set[SocketAddress],
    ) -> Connection:
        loop, origin = asyncio.get_running_loop(), self._origin
        context = await self._tls.get_context() if origin.scheme == "https" else None
        server_name = (self._tls.server_name or origin.host) if context else None

        async def connect(address: SocketAddress) -> Connection:
            sock = await address.connect()
            if context is not None:
                in_handshake.add(address)
            try:
                _, connection = await loop.create_connection(
                    lambda: Connection(owner, batcher),
                    sock=sock,
                    ssl=context,
                    server_hostname=server_name,
                )
            except OSError:
                in_handshake.discard(address)
                raise
            return connection

        return await self._host.connect(Attempt(connect, Connection.abort), seconds)


def _discard(opening: asyncio.Task[Connection]) -> None:
    """Close a connection that was opened just when its caller timed out or was cancelled."""
    if opening.done() and not opening.cancelled() and opening.exception() is None:
        opening.result().abort()
