"""The way of a request of one proxied route: to its service, until the head of the response."""

import asyncio
import time
from math import inf

import httpx
from starlette.requests import Request
from starlette.responses import Response

from gateway.auth.dependencies import find_principal
from gateway.http1_grammar import Fields
from gateway.open_clients import OpenServices
from gateway.proxy.declaration import Proxy
from gateway.proxy.identity_fields import build_identity_fields
from gateway.proxy.open_upstream import open_upstream
from gateway.proxy.proxied_response import ProxiedResponse
from gateway.proxy.request_fields import RequestFields
from gateway.proxy.response_fields import ResponseFields
from gateway.proxy.stream_limit import Stream, StreamLimit
from gateway.proxy.target import ProxyTarget
from gateway.proxy.upload import LONG_BYTES, find_upload
from gateway.proxy.upstream import UpstreamRequest, UpstreamResponse
from gateway.proxy.upstream_failures import UPSTREAM_FAILURES, map_failure
from gateway.request_context import RequestContext
from gateway.resources import Resources
from gateway.settings.schema import Server


class Forwarding:
    """Forwards the requests of one proxied route; built once, when its service is open."""

    def __init__(self, proxy: Proxy, server: Server, resources: Resources) -> None:
        opened = resources[OpenServices][proxy.to]
        self._proxy = proxy
        self._timeout = opened.service.timeout if proxy.timeout is None else proxy.timeout
        self._target = ProxyTarget(proxy, opened.service)
        self._request_fields = RequestFields(proxy, opened.service, server)
        self._response_fields = ResponseFields(proxy, opened.service)
        self._upstream = open_upstream(opened)
        self._streams: StreamLimit = resources[StreamLimit]

    async def serve(self, request: Request) -> Response:
        """Forward a request; return the response once its head has arrived.

        Raises:
            UpstreamError: the service is unavailable, does not respond in time, or its response
                is malformed.
            Overloaded: the exchange would be a stream, and there are too many.
        """
        scope = request.scope
        context = RequestContext.of(scope)
        upload = find_upload(scope, request.receive)
        forwarded = UpstreamRequest(
            request.method,
            self._target.build(scope),
            self._request_fields.build(scope, build_identity_fields(self._proxy, request)),
            upload,
            self._timeout,
            self._proxy.idle_timeout,
        )
        stream: Stream | None = None
        ends_at = inf
        if upload is not None:
            ends_at = self._find_end(request)
            if upload.is_long:
                stream = self._streams.admit(context)
                forwarded.is_stream = True
        try:
            response = await self._send(forwarded, ends_at, context)
            if response.body is not None:
                await response.aclose()
            elif stream is None and _is_long(response.fields):
                stream = await self._become_stream(response, context)
        except BaseException:
            if stream is not None:
                stream.close()
            raise
        fields = self._response_fields.build(response.fields, scope)
        return ProxiedResponse(response, fields, stream, ends_at)

    async def _send(
        self, request: UpstreamRequest, ends_at: float, context: RequestContext
    ) -> UpstreamResponse:
        """Send a request and wait for the head of the response; record how long it took."""
        started = time.perf_counter()
        try:
            if ends_at == inf:
                return await self._upstream.send(request)
            async with asyncio.timeout_at(ends_at):
                return await self._upstream.send(request)
        except UPSTREAM_FAILURES as error:
            raise map_failure(self._proxy, request.method, error, self._timeout) from error
        finally:
            context.server_timing.append((self._proxy.to, time.perf_counter() - started))
