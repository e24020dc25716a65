"""The base class of typed clients."""

import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from types import TracebackType
from typing import ClassVar, Final, Self, TypeVar

import httpx

from gateway.transport.transport import Transport
from gateway.upstream.base_url import BaseUrl
from gateway.upstream.call import Call, IdempotentCall
from gateway.upstream.call_executor import CallExecutor
from gateway.upstream.call_policy import CallPolicy
from gateway.upstream.deadline import deadline, remaining
from gateway.upstream.errors import UpstreamInvalid
from gateway.upstream.pagination import InvalidLink, NextParams, get_next_link_params
from gateway.upstream.pending import PendingCall
from gateway.upstream.query import Params
from gateway.upstream.response import UpstreamResponse
from gateway.upstream.sender import Bounds, create_sender
from gateway.upstream.service_headers import ServiceHeaders
from gateway.upstream.streaming import StreamedResponse

T = TypeVar("T")

NoContent: Final = type(None)
"""`into=NoContent`: the call returns None on success, and does not decode the body."""

SERVICE_NAME = re.compile(r"[a-z][a-z0-9_]*")
"""The name of a service, as in `upstreams.NAME`."""


class ServiceClient:
    """The base class of a client whose typed methods call one downstream service.

    A subclass names its service: `class Orders(ServiceClient, name="orders")`. Its methods call
    `get`, `post` and so on, for example `self.get("/users/{user_id}", user_id=7, into=User)`, and
    return the `PendingCall`; `await` makes the call. The client does not follow redirects, keep
    cookies or use the proxies of the environment. Only a policy retries a call, except after a
    stale keep-alive connection (see `sender.py`).
    """

    name: ClassVar[str]

    def __init_subclass__(cls, *, name: str | None = None) -> None:
        """Set the name of the service; a class without one inherits the name of its parent.

        Raises:
            TypeError: the name is missing or not a lower-case identifier.
        """
        super().__init_subclass__()
        if name is None and hasattr(cls, "name"):
            return
        if name is None or not SERVICE_NAME.fullmatch(name):
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

        `timeout` is in seconds for a whole call with all its attempts; a deadline around the call
        (`deadline.py`) can only shorten it. `headers` are added to every call. Every call runs
        under `policies`, the first of which is the outermost.

        Raises:
            ValueError: `base_url` does not consist of scheme, host, port and path.
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
        """Return the client; leaving the block closes it."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the client."""
        await self.aclose()

    async def aclose(self) -> None:
        """End the calls in flight and close every connection; the client cannot be used again."""
        try:
            await self._transport.aclose()
        finally:
            await self._executor.aclose()

    def call(self, call: Call, *, into: type[T]) -> PendingCall[T]:
        """Return a call that is made by `await` and returns a value of type `into`.

        Awaiting it raises:
            UpstreamTimeout: the service did not respond in time.
            UpstreamUnavailable: the service could not be reached, closed the connection early,
                or responded with 5xx or 429.
            UpstreamRefused: the service responded with 3xx or 4xx other than 429.
            UpstreamInvalid: the body of a success is not a value of type `into`.
            InvalidArgument: a value cannot be sent, such as ".." in a path; uncaught, it is a 422.
            ValueError: the call itself is wrong, for example a placeholder has no value.
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
        """Open a response to read piece by piece: `async with self.stream(...) as response`.

        `timeout` is in seconds until the head of the response has arrived. `idle_timeout` is in
        seconds for each wait for a piece of the body. Entering raises the same errors as awaiting
        a `call`.
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
        """Return a GET call, whose JSON response is decoded to a value of type `into`.

        `segments` fill the placeholders of `path`: `get("/users/{user_id}", user_id=7, ...)`.
        `headers` override those of the settings. `timeout` is in seconds.
        """
        call = Call("GET", path, segments, params, headers, timeout=timeout)
        return self.call(call, into=into)

    async def get_pages(  # noqa: PLR0913 - one keyword per part of a request
        self,
        path: str,
        *,
        into: type[T],
        max_pages: int,
        next_params: NextParams[T] | None = None,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the deadline of the calls
        **segments: str | int,
    ) -> list[T]:
        """Make one GET call for each page, one after the other; return the decoded bodies.

        `timeout` is in seconds for all pages together; None means the timeout of the client. The
        pages are kept in memory until the last one has arrived: up to `max_pages` decoded bodies
        of `max_body_bytes` each.

        `next_params(page)` returns the query parameters of the next page, which override those of
        `params`, or None after the last page. By default they are those of the link to the next
        page in the `Link` header (RFC 8288). Only its query is used, so that a service cannot send
        a call to another host or path.

        Raises:
            UpstreamError: a call failed.
            UpstreamInvalid: there are more than `max_pages` pages, or the `Link` header is invalid.
        """
        call = Call("GET", path, segments, params, headers, timeout=timeout)
        with deadline(self._executor.limit_seconds(call, remaining())):
            return await self._get_pages(call, into, max_pages, next_params or get_next_link_params)

    async def _get_pages(
        self, first: Call, into: type[T], max_pages: int, next_params: NextParams[T]
    ) -> list[T]:
        pages: list[T] = []
        into_page: type[UpstreamResponse[T]] = UpstreamResponse[into]  # type: ignore[valid-type]
        call = first
        for _ in range(max_pages):
            page = await self.call(call, into=into_page)
            pages.append(page.content)
            try:
                following = next_params(page)
            except InvalidLink as exc:
                raise self._invalid(call, str(exc)) from None
            if following is None:
                return pages
            call = replace(first, params={**(first.params or {}), **following})
        raise self._invalid(first, f"there are more than {max_pages} pages")

    def _invalid(self, call: Call, detail: str) -> UpstreamInvalid:
        return UpstreamInvalid(self.name, call.operation, detail)

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
        """Return a DELETE call."""
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
        idempotent: bool = False,
        **segments: str | int,
    ) -> PendingCall[T]:
        """Return a POST call; `json` or `content` is the body.

        `json` is any value that pydantic can serialize, including models. `idempotent` declares
        that the request may be sent again, such as a search with a body.
        """
        kind = IdempotentCall if idempotent else Call
        call = kind("POST", path, segments, params, headers, json, content, timeout)
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
        """Return a PUT call; `json` or `content` is the body."""
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
        """Return a PATCH call; `json` or `content` is the body."""
        call = Call("PATCH", path, segments, params, headers, json, content, timeout)
        return self.call(call, into=into)
