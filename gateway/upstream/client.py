"""The base of typed clients: from a path template to a value of a type, or an error."""

import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import ClassVar, Final, Self, TypeVar

import httpx

from gateway.transport.transport import Transport
from gateway.upstream.base_url import BaseUrl
from gateway.upstream.call import Call
from gateway.upstream.call_executor import CallExecutor
from gateway.upstream.call_policy import CallPolicy
from gateway.upstream.pending import PendingCall
from gateway.upstream.query import Params
from gateway.upstream.sender import Bounds, create_sender
from gateway.upstream.service_headers import ServiceHeaders
from gateway.upstream.streaming import StreamedResponse

T = TypeVar("T")

NoContent: Final = type(None)
"""`into=NoContent`: a success is enough; its body is not read as anything."""

_NAME = re.compile(r"[a-z][a-z0-9_]*")


class ServiceClient:
    """A downstream service as typed methods.

    A subclass names its service, `class Orders(ServiceClient, name="orders")`. Its methods call
    `get`, `post` and so on, as `self.get("/users/{user_id}", user_id=7, into=User)`, and return
    what these return: a call that `await` makes. Redirects, cookies and proxies of the
    environment are not followed. Calls are repeated only by a policy, but for one case: a stale
    keep-alive connection (see `sender.py`).
    """

    name: ClassVar[str]

    def __init_subclass__(cls, *, name: str | None = None) -> None:
        """Set the name of the service; a class without one is a variant of its parent.

        Raises:
            TypeError: the name is missing or not a lower-case identifier.
        """
        super().__init_subclass__()
        if name is None and hasattr(cls, "name"):
            return
        if name is None or not _NAME.fullmatch(name):
            raise TypeError(f"{cls.__name__}: name={name!r} is not a lower-case identifier")
        cls.name = name

    def __init__(  # noqa: PLR0913 - one keyword per setting of a service
        self,
        base_url: str,
        *,
        timeout: float = 2.0,
        connect_timeout: float = 1.0,
        max_body_bytes: int = 2_097_152,
        transport: httpx.AsyncBaseTransport | None = None,
        headers: ServiceHeaders | None = None,
        policies: Sequence[CallPolicy] = (),
    ) -> None:
        """Create the client of the service at `base_url`.

        `timeout` is seconds for a whole call with all its attempts; a deadline around the call
        (`deadline.py`) can only shorten it. `headers` are added to every call. Every call runs
        under `policies`, the first of which is the outermost.

        Raises:
            ValueError: `base_url` is not scheme, host, port and path.
        """
        self._transport = transport or Transport()
        bounds = Bounds(connect_timeout, max_body_bytes)
        self._executor = CallExecutor(
            self.name,
            create_sender(self._transport, BaseUrl.of(base_url), bounds, headers),
            timeout=timeout,
            max_body_bytes=max_body_bytes,
            policies=policies,
        )

    async def __aenter__(self) -> Self:
        """The client itself; leaving closes it."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close every connection."""
        await self.aclose()

    async def aclose(self) -> None:
        """End the calls in flight and close every connection; the client cannot be used again."""
        try:
            await self._transport.aclose()
        finally:
            await self._executor.aclose()

    def call(self, call: Call, *, into: type[T]) -> PendingCall[T]:
        """A call that `await` makes; it gives an `into`.

        Awaiting it raises:
            UpstreamTimeout: no response in time.
            UpstreamUnavailable: the service was not reached, broke off, or answered 5xx or 429.
            UpstreamRefused: the service answered 3xx or 4xx.
            UpstreamInvalid: the body of a success is no `into`.
            ValueError: the call cannot be serialized.
        """
        return PendingCall(self._executor, call, into)

    def stream(  # noqa: PLR0913 - one keyword per part of a request
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        json: object = None,
        content: bytes | None = None,
        timeout: float | None = None,
        idle_timeout: float | None = None,
        **segments: str | int,
    ) -> AbstractAsyncContextManager[StreamedResponse]:
        """A response whose body is read piece by piece: `async with self.stream(...) as response`.

        `timeout` is seconds until the head of the response is there, `idle_timeout` seconds for
        each wait for a piece of the body. Entering raises what awaiting a `call` raises.
        """
        call = Call(method, path, segments, params, headers, json, content, timeout)
        return self._executor.stream(call, idle_timeout)

    def get(
        self,
        path: str,
        *,
        into: type[T],
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        **segments: str | int,
    ) -> PendingCall[T]:
        """GET."""
        call = Call("GET", path, segments, params, headers, timeout=timeout)
        return self.call(call, into=into)

    def delete(
        self,
        path: str,
        *,
        into: type[T],
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        **segments: str | int,
    ) -> PendingCall[T]:
        """DELETE."""
        call = Call("DELETE", path, segments, params, headers, timeout=timeout)
        return self.call(call, into=into)

    def post(  # noqa: PLR0913 - one keyword per part of a request
        self,
        path: str,
        *,
        into: type[T],
        json: object = None,
        content: bytes | None = None,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        **segments: str | int,
    ) -> PendingCall[T]:
        """POST; `json` or `content` is the body."""
        call = Call("POST", path, segments, params, headers, json, content, timeout)
        return self.call(call, into=into)

    def put(  # noqa: PLR0913 - one keyword per part of a request
        self,
        path: str,
        *,
        into: type[T],
        json: object = None,
        content: bytes | None = None,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        **segments: str | int,
    ) -> PendingCall[T]:
        """PUT; `json` or `content` is the body."""
        call = Call("PUT", path, segments, params, headers, json, content, timeout)
        return self.call(call, into=into)

    def patch(  # noqa: PLR0913 - one keyword per part of a request
        self,
        path: str,
        *,
        into: type[T],
        json: object = None,
        content: bytes | None = None,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        **segments: str | int,
    ) -> PendingCall[T]:
        """PATCH; `json` or `content` is the body."""
        call = Call("PATCH", path, segments, params, headers, json, content, timeout)
        return self.call(call, into=into)
