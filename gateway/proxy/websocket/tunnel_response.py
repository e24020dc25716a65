"""The response that accepts the handshake of a caller, and lasts as long as the WebSocket."""

import asyncio

from starlette.types import Receive, Scope, Send

from gateway.http1_grammar import FieldList
from gateway.proxy.stream_limit import StreamSlot
from gateway.proxy.websocket.tunnel import Tunnel
from gateway.request_context import RequestContext
from gateway.routing.response_endpoint import UnhandledResponse
from gateway.server.shutdown_notice import call_at_shutdown
from gateway.server.upgrade import UPGRADE, Upgrade


class TunnelResponse(UnhandledResponse):
    """Sends the 101, and waits until both connections of the tunnel have ended.

    `early` is what the service has sent after its own 101.
    """

    def __init__(self, fields: FieldList, tunnel: Tunnel, early: bytes, slot: StreamSlot) -> None:
        # Not Starlette's: it would add fields.
        self.status_code = 101
        self.raw_headers = fields
        self.body = b""
        self.background = None
        self._tunnel = tunnel
        self._early = early
        self._slot = slot
        # A tunnel that is never opened must not keep its connection: its task ends first.
        self._task = asyncio.current_task()
        if self._task is not None:
            self._task.add_done_callback(self._end_tunnel)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Open the tunnel, and wait for its end."""
        tunnel = self._tunnel
        upgrade: Upgrade = scope["extensions"][UPGRADE]
        tunnel.caller.reading = upgrade
        upgrade.prepare(tunnel.caller)
        try:
            await send({"type": "http.response.start", "status": 101, "headers": self.raw_headers})
            early, self._early = self._early, b""
            tunnel.start(early)
            with (
                call_at_shutdown(scope, tunnel.shutdown),
                self._slot.call_when_revoked(tunnel.revoke),
            ):
                await tunnel.closed
        finally:
            if self._task is not None:
                self._task.remove_done_callback(self._end_tunnel)
            self._end_tunnel()
            self._log_end(RequestContext.of(scope))

    def _end_tunnel(self, _: asyncio.Task[object] | None = None) -> None:
        """End both connections, and the stream."""
        self._tunnel.abort()
        self._slot.close()

    def _log_end(self, context: RequestContext) -> None:
        tunnel = self._tunnel
        context.bytes_sent += tunnel.service.received_bytes
        context.log_fields["bytes_received"] = tunnel.caller.received_bytes
        context.log_fields["code"] = tunnel.close_code
        if tunnel.closed_by:
            context.log_fields["closed_by"] = tunnel.closed_by
        if tunnel.reason:
            context.log_fields["reason"] = tunnel.reason
