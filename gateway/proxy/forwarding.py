"""Forwards a proxied request to its service, and waits for the head of the response."""

import asyncio
from collections.abc import Sequence
from functools import partial
from time import perf_counter

from starlette.requests import Request
from starlette.responses import Response

from gateway.errors.tree import Unauthenticated
from gateway.fastapi_internals import get_send
from gateway.http1_grammar import Fields
from gateway.open_clients import OpenServices
from gateway.proxy.declaration.proxy import Proxy
from gateway.proxy.fields.identity_fields import IdentityFields
from gateway.proxy.fields.refused_identity import explain_refusal
from gateway.proxy.fields.request_fields import RequestFields
from gateway.proxy.fields.response_fields import ResponseFields
from gateway.proxy.path.target import ProxyTarget
from gateway.proxy.proxied_response import ProxiedResponse
from gateway.proxy.proxied_stream import ProxiedStream, find_length, is_long
from gateway.proxy.stream_end import GRACE_SECONDS, TOKEN_REVOKED, StreamEnd, StreamEnds
from gateway.proxy.stream_limit import StreamLimit, StreamSlot
from gateway.proxy.upstream.open_upstream import open_upstream
from gateway.proxy.upstream.proxy_upstream import ServiceRequest, ServiceResponse
from gateway.proxy.upstream.upload import BodyTimeout, find_upload
from gateway.proxy.upstream.upstream_failures import (
    TIMEOUT,
    TOTAL_TIMEOUT,
    UPSTREAM_FAILURES,
    FailureMapper,
)
from gateway.request_context import INTERIM_RESPONSE, RESPONSE_TRAILERS, RequestContext
from gateway.resources import Resources
from gateway.settings.schema import Settings

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""The methods after which a request may be sent again (RFC 9110, 9.2.1).

The service has carried out any other request by the time its response begins: it is not refused.
"""


class Forwarding:
    """Forwards the requests of one proxied route; created once its service is open."""

    def __init__(self, proxy: Proxy, settings: Settings, resources: Resources) -> None:
        opened = resources[OpenServices][proxy.to]
        self._proxy = proxy
        self._timeout = opened.service.timeout if proxy.timeout is None else proxy.timeout
        self._target = ProxyTarget(proxy, opened.service)
        self._request_fields = RequestFields(proxy, opened.service, settings.server)
        self._response_fields = ResponseFields(proxy, opened.service)
        self._upstream = open_upstream(opened)
        self._identity = IdentityFields(proxy, resources)
        self._failures = FailureMapper(proxy, self._timeout)
        self._ends = StreamEnds(proxy, settings.issuers)
        self._streams: StreamLimit = resources[StreamLimit]
        self._loop = asyncio.get_running_loop()

    async def serve(self, request: Request) -> Response:
        """Forward a request; return the response once its head has arrived.

        Raises:
            UpstreamError: the service is unavailable or does not respond in time, its response is
                malformed, or it refuses the identity that the gateway has sent.
            RequestTimeout: the caller does not send its body in time.
            TooManyStreams, Overloaded: the exchange would be one stream too many.
        """
        scope, started = request.scope, self._loop.time()
        slot = StreamSlot(self._streams, request)
        slot.check_excess()
        identity = self._identity.build(request)
        forwarded = await self._build(request, slot, identity)
        try:
            if forwarded.is_whole and self._proxy.total_timeout is None:
                response = await self._send(forwarded, request)
            else:
                response = await self._send_in_time(forwarded, request, started, slot)
        except BaseException:
            slot.close()
            raise
        try:
            self._check_identity(identity, forwarded.method, response.status)
            fields = self._response_fields.build(response.fields, scope)
            if response.body is None:
                length = find_length(response.fields)
                self._open_stream(slot, forwarded.method, length, response.fields)
                end = self._find_end(request, started, length)
                select_trailers = self._response_fields.select_trailers
                return ProxiedStream(
                    response, fields, slot, end, self._failures, select_trailers=select_trailers
                )
            trailers = response.trailers and self._response_fields.select_trailers(
                response.trailers
            )
        except BaseException:
            slot.close()
            await response.aclose()
            raise
        slot.close()
        await response.aclose()
        return ProxiedResponse(response.status, fields, response.body, trailers)

    def _open_stream(
        self, slot: StreamSlot, method: str, length: int | None, fields: Fields
    ) -> None:
        """Make a stream of a response that is long by its fields, as the service has sent them.

        Raises:
            TooManyStreams, Overloaded: there is no free place, and the service has not carried out
                anything.
        """
        is_stream = is_long(length, fields)
        if method not in _SAFE:
            if is_stream:
                slot.open_late()
        elif is_stream:
            slot.open()
        elif length is None:
            slot.check_excess()

    def _find_end(self, request: Request, started: float, length: int | None) -> StreamEnd:
        """Return when a response ends at the latest: one without a length ends with the token."""
        if length is None:
            return self._ends.find(request, started, grace=GRACE_SECONDS)
        return self._ends.find_total(started)

    def _check_identity(
        self, identity: Sequence[tuple[bytes, bytes]], method: str, status: int
    ) -> None:
        """Raise an UpstreamRefused if the service refuses the identity that was sent."""
        refusal = explain_refusal(self._proxy, identity, status)
        if refusal:
            raise self._failures.refuse(method, refusal, status)

    async def _build(
        self, request: Request, slot: StreamSlot, identity: Sequence[tuple[bytes, bytes]]
    ) -> ServiceRequest:
        """Build the request to the service, with its body if that has arrived."""
        scope, fields = request.scope, self._request_fields
        forwarded = ServiceRequest(
            scope["method"],
            self._target.build(scope),
            fields.build(scope, identity),
            await find_upload(scope, request.receive, fields.select_trailers, slot),
            self._timeout,
            self._proxy.idle_timeout,
        )
        extensions = scope.get("extensions") or ()
        forwarded.accepts_trailers = RESPONSE_TRAILERS in extensions
        if INTERIM_RESPONSE in extensions:
            forwarded.on_interim = partial(self._send_interim, request)
        return forwarded

    async def _send_in_time(
        self, forwarded: ServiceRequest, request: Request, started: float, slot: StreamSlot
    ) -> ServiceResponse:
        """Send a request within the total timeout, while its body may still be arriving.

        Raises:
            RequestTimeout: the caller does not send its body in time.
            TooManyStreams, Overloaded: the body is long, and there are too many streams.
            Unauthenticated: the token of the caller has been revoked meanwhile.
        """
        if forwarded.upload is not None and forwarded.upload.is_long:
            slot.open()
        if not forwarded.is_whole:
            slot.watch(self._loop)
        timeout = asyncio.timeout_at(self._ends.find_total(started).at)
        try:
            async with timeout:
                with slot.call_when_revoked(partial(timeout.reschedule, started)):
                    return await self._send(forwarded, request)
        except TimeoutError as error:
            if slot.is_revoked:
                RequestContext.of(request.scope).log_fields["reason"] = TOKEN_REVOKED
                raise Unauthenticated("revoked") from None
            is_from_caller = forwarded.upload is not None and forwarded.upload.is_receiving
            reason = BodyTimeout() if is_from_caller else error
            raise self._failures.map(request.scope, reason, TOTAL_TIMEOUT) from None

    async def _send_interim(self, request: Request, status: int, fields: Fields) -> None:
        """Pass an interim response on to the caller, such as 103 Early Hints."""
        kept = self._response_fields.build_interim(fields, request.scope)
        send = get_send(request)
        await send({"type": INTERIM_RESPONSE, "status": status, "headers": kept})

    async def _send(self, forwarded: ServiceRequest, request: Request) -> ServiceResponse:
        """Send a request and wait for the head of the response; record how long it took."""
        started = perf_counter()
        try:
            return await self._upstream.send(forwarded)
        except UPSTREAM_FAILURES as error:
            raise self._failures.map(request.scope, error, TIMEOUT) from error
        finally:
            timing = RequestContext.of(request.scope).server_timing
            timing.append((self._proxy.to, perf_counter() - started))
