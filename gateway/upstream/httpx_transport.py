"""httpx's own transport with the TLS settings of a service."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from typing import cast

import httpx

from gateway.transport.tls import ClientTls, InvalidTlsFile
from gateway.trust_store import create_empty_context

CHECK_SECONDS = 1.0
"""How often the files are looked at; a connection of httpx may be older than a new file."""


class HttpxTransport(httpx.AsyncBaseTransport):
    """Uses `httpx.AsyncHTTPTransport`, and a new one after a certificate has changed.

    httpx takes its TLS context once. The transport with the earlier context is closed when its
    last request has ended.
    """

    def __init__(self, *, tls: ClientTls, is_https: bool, limits: httpx.Limits) -> None:
        self._tls = tls
        self._is_https = is_https
        self._limits = limits
        self._current: _CountedTransport | None = None
        self._next_check = float("-inf")
        self._lock = asyncio.Lock()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request.

        Raises:
            httpx.ConnectError: the certificates cannot be loaded.
            httpx.TransportError: there is no response.
        """
        if self._tls.server_name is not None:
            request.extensions["sni_hostname"] = self._tls.server_name
        return await (await self._get_current()).send(request)

    async def aclose(self) -> None:
        """Close every connection."""
        if self._current is not None:
            await self._current.transport.aclose()

    async def _get_current(self) -> "_CountedTransport":
        if self._current is None:
            # The first requests wait for one another: without the certificates, all of them fail.
            async with self._lock:
                return self._current or await self._renew()
        if self._is_https and asyncio.get_running_loop().time() >= self._next_check:
            return await self._renew()
        return self._current

    async def _renew(self) -> "_CountedTransport":
        """Return a transport with the certificates as they are now: the current one, or another."""
        self._next_check = asyncio.get_running_loop().time() + CHECK_SECONDS
        context = await self._load_context()
        earlier = self._current
        if earlier is not None and earlier.context is context:
            return earlier
        renewed = self._current = _CountedTransport(context, self._limits)
        if earlier is not None:
            await earlier.retire()
        return renewed

    async def _load_context(self) -> ssl.SSLContext:
        if not self._is_https:
            return create_empty_context()
        try:
            return await self._tls.get_context()
        except InvalidTlsFile as error:
            raise httpx.ConnectError(f"{error.name} {error}") from error


class _CountedTransport:
    """A transport of httpx, and the number of requests that use it."""

    def __init__(self, context: ssl.SSLContext, limits: httpx.Limits) -> None:
        self.context = context
        self.transport = httpx.AsyncHTTPTransport(
            verify=context, trust_env=False, limits=limits, retries=0
        )
        self._in_flight = 0
        self._is_retired = False

    async def send(self, request: httpx.Request) -> httpx.Response:
        self._in_flight += 1
        try:
            response = await self.transport.handle_async_request(request)
        except BaseException:
            await self.end_request()
            raise
        stream = cast("httpx.AsyncByteStream", response.stream)
        response.stream = _CountedStream(stream, self)
        return response

    async def end_request(self) -> None:
        self._in_flight -= 1
        await self._close_if_unused()

    async def retire(self) -> None:
        self._is_retired = True
        await self._close_if_unused()

    async def _close_if_unused(self) -> None:
        if self._is_retired and not self._in_flight:
            await self.transport.aclose()


class _CountedStream(httpx.AsyncByteStream):
    """The body of a response, whose request has ended when it is closed."""

    def __init__(self, stream: httpx.AsyncByteStream, owner: _CountedTransport) -> None:
        self._stream = stream
        self._owner: _CountedTransport | None = owner

    def __aiter__(self) -> AsyncIterator[bytes]:
        return aiter(self._stream)

    async def aclose(self) -> None:
        owner, self._owner = self._owner, None
        try:
            await self._stream.aclose()
        finally:
            if owner is not None:
                await owner.end_request()
