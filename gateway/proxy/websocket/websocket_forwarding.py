"""Forwards WebSocket handshakes to a service, and its response to the caller."""

import asyncio
from time import perf_counter

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from gateway.open_clients import OpenServices
from gateway.proxy.declaration.proxy import Proxy
from gateway.proxy.fields.identity_fields import IdentityFields
from gateway.proxy.fields.refused_identity import explain_refusal
from gateway.proxy.fields.request_fields import RequestFields
from gateway.proxy.fields.response_fields import ResponseFields
from gateway.proxy.path.target import ProxyTarget
from gateway.proxy.proxied_response import ProxiedResponse
from gateway.proxy.stream_end import StreamEnds
from gateway.proxy.stream_limit import StreamLimit, StreamSlot
from gateway.proxy.upstream.request_framing import serialize_request_head
from gateway.proxy.upstream.upstream_failures import TIMEOUT, UPSTREAM_FAILURES, FailureMapper
from gateway.proxy.websocket.caller_handshake import check_handshake
from gateway.proxy.websocket.origin_check import OriginCheck
from gateway.proxy.websocket.service_handshake import (
    HandshakeRefusal,
    InvalidHandshake,
    check_acceptance,
    open_websocket,
    read_refusal,
)
from gateway.proxy.websocket.tunnel import Tunnel, TunnelLimits
from gateway.proxy.websocket.tunnel_response import TunnelResponse
from gateway.request_context import RequestContext
from gateway.resources import Resources
from gateway.settings.schema import Settings
from gateway.transport.transport import Transport
from gateway.upstream.base_url import BaseUrl
from gateway.upstream.errors import UpstreamInvalid

_UPGRADE = ((b"connection", b"upgrade"), (b"upgrade", b"websocket"))


class WebSocketForwarding:
    """Forwards the handshakes of one proxied route; created once its service is open."""

    def __init__(self, proxy: Proxy, settings: Settings, resources: Resources) -> None:
        opened = resources[OpenServices][proxy.to]
        self._proxy = proxy
        self._service = opened.service
        self._transport = opened.transport if type(opened.transport) is Transport else None
        self._timeout = opened.service.timeout if proxy.timeout is None else proxy.timeout
        self._service_origin = BaseUrl.of(str(opened.service.url)).origin
        self._target = ProxyTarget(proxy, opened.service)
        self._request_fields = RequestFields(proxy, opened.service, settings.server)
        self._response_fields = ResponseFields(proxy, opened.service)
        self._origins = OriginCheck(settings.server)
        self._identity = IdentityFields(proxy, resources)
        self._failures = FailureMapper(proxy, self._timeout)
        self._ends = StreamEnds(proxy, settings.issuers)
        self._streams: StreamLimit = resources[StreamLimit]

    async def serve(self, request: Request) -> Response:
        """Forward a handshake; return the response that opens the tunnel, or the refusal.

        Raises:
            HTTPException: the handshake is refused, or the transport supports no WebSocket.
            UpstreamError: the service does not respond in time, or not as a server may.
            TooManyStreams, Overloaded: the WebSocket would be one stream too many.
        """
        if self._transport is None:
            raise HTTPException(501, "The transport of this service supports no WebSocket.")
        check_handshake(request.scope)
        self._origins.check(request)
        slot = StreamSlot(self._streams, request)
        slot.open()
        try:
            return await self._open(self._transport, request, slot)
        except UPSTREAM_FAILURES as error:
            slot.close()
            raise self._failures.map(request.scope, error, TIMEOUT) from error
        except BaseException:
            slot.close()
            raise

    async def _open(self, transport: Transport, request: Request, slot: StreamSlot) -> Response:
        scope, started, began_at = request.scope, perf_counter(), asyncio.get_running_loop().time()
        identity = self._identity.build(request)
        fields = self._request_fields.build(scope, identity)
        response, exchange = await open_websocket(
            transport,
            self._service_origin,
            serialize_request_head("GET", self._target.build(scope), [*_UPGRADE, *fields]),
            ends_at=began_at + self._timeout,
            connect_timeout=self._service.connect_timeout,
        )
        timing = RequestContext.of(scope).server_timing
        timing.append((self._proxy.to, perf_counter() - started))
        end = self._ends.find(request, began_at)
        try:
            if response.status != 101:
                if refusal := explain_refusal(self._proxy, identity, response.status):
                    raise self._failures.refuse("GET", refusal, response.status)
                slot.close()
                return self._build_refusal(await read_refusal(response, exchange), scope)
            reserved_bits = check_acceptance(fields, response.fields)
            tunnel = Tunnel(TunnelLimits(self._proxy.idle_timeout, end, reserved_bits))
            early = tunnel.take_over(exchange)
        except InvalidHandshake as error:
            raise UpstreamInvalid(self._proxy.to, f"GET {self._proxy.path}", str(error)) from None
        finally:
            exchange.close()  # no effect if the tunnel has taken it over
        accepted = self._response_fields.build(response.fields, scope)
        return TunnelResponse(accepted, tunnel, early, slot)

    def _build_refusal(self, refusal: HandshakeRefusal, scope: Scope) -> Response:
        fields = self._response_fields.build(refusal.fields, scope)
        return ProxiedResponse(refusal.status, fields, refusal.body)
