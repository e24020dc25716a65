"""One request and its response: an ASGI cycle between the connection and the app."""

import asyncio
import enum
from collections.abc import Awaitable, Callable, Generator
from contextvars import Context
from http import HTTPStatus
from logging import ERROR, getLogger

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Scope

from gateway.http1_grammar import FieldList, Fields
from gateway.request_context import (
    DISCARD_RESPONSE,
    INTERIM_RESPONSE,
    RESPONSE_TRAILERS,
    WHOLE_BODY,
    RequestContext,
)
from gateway.server.error_responses import serialize_internal_error, serialize_shutdown_error
from gateway.server.flow_control import FlowControl
from gateway.server.request_body import HIGH_WATER_LIMIT, RequestBody
from gateway.server.response_writer import CONTINUE, ResponseWriter
from gateway.server.upgrade import UPGRADE, Upgrade
from gateway.server.uvicorn_internals import ServerState
from gateway.telemetry.log import log_event

MAX_DROPPED_BYTES = 8_388_608
"""Bytes of a body that may follow the response to its request, as after a 413."""

CLIENT_CLOSED_REQUEST = 499  # the status that nginx logs; it is never sent

SWITCHING_PROTOCOLS = 101  # a member of HTTPStatus takes ten times as long to look up

log = getLogger("lockgate.server")


class CycleState(enum.Enum):
    """The progress of the response of a cycle."""

    WAITING = "waiting"  # the app has not sent the head
    RESPONDING = "responding"  # the app has sent the head
    COMPLETE = "complete"  # the app has sent all of it, or the server has aborted it
    DISCONNECTED = "disconnected"  # the client disconnected first


class _Done:
    """An awaitable that never suspends: cheaper than a coroutine for each message."""

    def __await__(self) -> Generator[None, None, None]:
        return iter(())  # type: ignore[return-value]  # nothing is sent into this generator


_DONE = _Done()


class RequestResponseCycle:
    """Runs the app for one request: buffers the body for `receive`, and writes the response.

    `on_response_complete` is called once, when the last byte of the response is written, or when
    the server has ended a response that the app did not complete.
    """

    # Invariants:
    # - The response is WAITING until it has a head, then RESPONDING until `is_response_complete`.
    #   Either may become DISCONNECTED, which cancels the task; COMPLETE is final.
    # - Nothing is added to `_body` once the response is complete. From the end of the body on,
    #   `receive` waits for the client to disconnect or the response to be complete.

    def __init__(
        self,
        scope: Scope,
        flow: FlowControl,
        server_state: ServerState,
        loop: asyncio.AbstractEventLoop,
        on_response_complete: Callable[[], None],
    ) -> None:
        self.scope = scope
        self.keeps_alive = True
        self.expects_continue = False
        self.is_response_complete = self.is_disconnected = False
        self._flow = flow
        self._server_state = server_state
        self._loop = loop
        self._on_response_complete = on_response_complete
        self._task: asyncio.Task[None] | None = None
        self._body = RequestBody()
        self._response = ResponseWriter(scope, flow, server_state.default_headers, loop)

    def __repr__(self) -> str:
        body = "complete" if self._body.is_complete else f"{self._body.size} bytes buffered"
        return (
            f"<RequestResponseCycle {self.scope['method']} {self.scope['path']!r}"
            f" {self.state.value}, body {body}>"
        )

    @property
    def state(self) -> CycleState:
        """The progress of the response; derived, so that no request pays for keeping it."""
        if self.is_response_complete:
            return CycleState.COMPLETE
        if self.is_disconnected:
            return CycleState.DISCONNECTED
        return CycleState.WAITING if self._response.head is None else CycleState.RESPONDING

    @property
    def buffered_bytes(self) -> int:
        """Bytes of the body that the app has not received yet."""
        return self._body.size

    @property
    def is_end_ambiguous(self) -> bool:
        """Whether the end of the connection would look like the end of an incomplete response."""
        head = self._response.head
        if head is None or self._response.unsent_head or self.is_response_complete:
            return False
        return head.is_close_delimited

    # Called by the connection.

    def start(self, app: ASGIApp, context: Context | None = None) -> None:
        """Run the app in a task; `context` is by default that of the caller."""
        # With a name, which asyncio would otherwise generate for each task.
        self._task = self._loop.create_task(self._run(app), name="request", context=context)
        self._server_state.tasks.add(self._task)

    def feed_body(self, piece: bytes) -> None:
        """Buffer a piece of the body; pause reading above `HIGH_WATER_LIMIT` bytes."""
        self.expects_continue = False
        if not self.is_response_complete:
            self._body.add(piece)
            if self._body.size > HIGH_WATER_LIMIT:
                self._flow.pause_reading()

    def end_body(self, trailers: FieldList) -> None:
        """Note that the request has been received completely, with these trailers."""
        self.expects_continue = False
        if self._body.size:
            self.scope["extensions"][WHOLE_BODY] = {}
        self._body.end(trailers)

    @property
    def upgrade(self) -> Upgrade | None:
        """The upgrade of the connection, if the request is the handshake of a WebSocket."""
        upgrade: Upgrade | None = self.scope["extensions"].get(UPGRADE)
        return upgrade

    def shutdown(self) -> None:
        """Close the connection after the response: the server stops."""
        self.keeps_alive = False

    def connection_lost(self, error: Exception | None) -> None:
        """Note that the client has disconnected before its response was complete."""
        upgrade = self.upgrade
        if upgrade is not None and upgrade.is_accepted:
            self.is_disconnected = True
            upgrade.connection_lost(error)
        else:
            RequestContext.of(self.scope).log_fields["status"] = CLIENT_CLOSED_REQUEST
            self.disconnect()

    def disconnect(self) -> None:
        """Note that the client has disconnected; cancel the app if its response is incomplete."""
        self.is_disconnected = True
        self._body.notify()
        if self._task is not None and not self.is_response_complete:
            # A task that is cancelled before its first step never runs its `finally`.
            self._task.add_done_callback(self._server_state.tasks.discard)
            self._task.cancel()

    def refuse(self, status: int) -> bool:
        """End the request, whose body is refused: cancel the app, and drop what it has not sent.

        Returns False if a part of the response has been sent. The access log gets `status`.
        """
        if not self._response.is_withdrawable:
            return False
        self._response.unsent_head = b""
        RequestContext.of(self.scope).log_fields["status"] = status
        self.disconnect()
        self.is_response_complete = True
        return True

    def respond_unavailable(self) -> None:
        """Cancel the app and respond with 503, unless the response has begun: the server stops."""
        is_over = self._flow.is_closing or self.is_response_complete
        if is_over or not self.refuse(HTTPStatus.SERVICE_UNAVAILABLE):
            return
        self._flow.write(serialize_shutdown_error(self.scope, self._server_state.default_headers))
        self._flow.close()

    async def _run(self, app: ASGIApp) -> None:
        try:
            await app(self.scope, self.receive, self.send)
            if not self.is_response_complete:
                self._refuse_incomplete_response()
        except asyncio.CancelledError:
            if not self.is_disconnected:
                raise
        except GeneratorExit:
            raise
        except BaseException as error:  # noqa: BLE001 - no request may stop the process
            self._log_failure(error)
        finally:
            if self._task is not None:
                self._server_state.tasks.discard(self._task)
            if not self.is_response_complete and not self.is_disconnected:
                self._abort_response()

    def _refuse_incomplete_response(self) -> None:
        if not self._is_unreachable():
            raise RuntimeError(f"the app returned before its response: {self.state.value}")

    def _log_failure(self, error: BaseException) -> None:
        """Log a failure, unless a middleware has logged it or the client has disconnected."""
        context = RequestContext.of(self.scope)
        is_expected = isinstance(error, OSError | ClientDisconnect) and self._is_unreachable()
        if not (is_expected or context.is_failure_logged):
            log_event(log, "app.failed", ERROR, error, id=context.request_id)

    def _abort_response(self) -> None:
        """End a response that the app has not begun, or not completed, and the connection."""
        if self.is_end_ambiguous:
            self._flow.reset()
        if not self._flow.is_closing and self._response.is_withdrawable:
            fields = self._server_state.default_headers
            self._flow.write(serialize_internal_error(self.scope, fields))
        self._response.unsent_head = b""
        self.is_response_complete = True
        self._close_connection()
        self._on_response_complete()

    def _close_connection(self) -> None:
        """Close at once if the client has sent all; else let it read the response first."""
        if self._body.is_complete:
            self._flow.close()
        else:
            self._flow.half_close()

    def _is_unreachable(self) -> bool:
        """Whether the client can get no more of this response."""
        return self.is_disconnected or (self._flow.is_closing and not self.is_response_complete)

    # Called by the app.

    async def receive(self) -> Message:
        """Return the next piece of the body, then wait for the end and return the disconnect.

        The disconnect is reported when the client disconnects, and when the response is complete.
        """
        if self.expects_continue:
            self._send_continue()
        while not (self.is_disconnected or self.is_response_complete):
            message = self._body.take_message()
            if message is not None:
                return message
            self._flow.resume_reading()
            await self._body.wait()
        return {"type": "http.disconnect"}

    def send(self, message: Message) -> Awaitable[None]:
        """Send a part of the response; wait while the send buffer is full.

        Raises:
            OSError: the client has disconnected.
            RuntimeError: the message is not allowed in this state.
        """
        if self._flow.is_write_paused or self._is_unreachable():
            return self._send_when_writable(message)
        self._handle_message(message)
        return _DONE

    async def _send_when_writable(self, message: Message) -> None:
        if self._flow.is_write_paused and not self.is_disconnected:
            await self._flow.drain()
        if self._is_unreachable():
            await asyncio.sleep(0)  # lets a pending cancellation of this task take effect
            raise OSError("the client has disconnected")
        self._handle_message(message)

    def _handle_message(self, message: Message) -> None:
        kind, response = message["type"], self._response
        if kind == "http.response.start" and response.head is None:
            self._start_response(message)
        elif (
            kind == "http.response.body"
            and response.head is not None
            and not (response.awaits_trailers or self.is_response_complete)
        ):
            if response.send_body(message.get("body", b""), more=message.get("more_body", False)):
                self._complete_response()
        elif not self._handle_extension(kind, message):
            raise RuntimeError(f"unexpected ASGI message {kind!r} ({self.state.value})")

    def _handle_extension(self, kind: str, message: Message) -> bool:
        """Handle a message of an extension; return False if it is not allowed."""
        response = self._response
        if kind == RESPONSE_TRAILERS and response.awaits_trailers and not self.is_response_complete:
            if response.send_trailers(message["headers"], more=message.get("more_trailers", False)):
                self._complete_response()
        elif kind == INTERIM_RESPONSE and response.head is None:
            self._send_interim(message["status"], message.get("headers", ()))
        elif kind == DISCARD_RESPONSE and response.is_withdrawable:
            response.discard_head()
        else:
            return False
        return True

    def _send_continue(self) -> None:
        """Send `100 Continue`, if the client still waits for it."""
        if self.expects_continue and self._response.head is None and not self._flow.is_closing:
            self.expects_continue = False
            self._flow.write(CONTINUE)

    def _send_interim(self, status: int, fields: Fields) -> None:
        if status == HTTPStatus.CONTINUE:
            self._send_continue()
        else:
            self._response.send_interim(status, fields)

    def _start_response(self, message: Message) -> None:
        if message["status"] == SWITCHING_PROTOCOLS:
            self._switch_protocols(message.get("headers", ()))
            return
        # A client that waits for `100 Continue` may send its body after all, or not, so that it is
        # unknown where its next request begins.
        is_body_bounded = self._body.is_complete or not self._announces_long_body()
        self.keeps_alive = self._response.start(
            message, keeps_alive=self.keeps_alive and not self.expects_continue and is_body_bounded
        )

    def _switch_protocols(self, fields: Fields) -> None:
        """Give the connection to the protocol that the app has prepared."""
        upgrade = self.upgrade
        if upgrade is None or not upgrade.is_prepared:
            raise RuntimeError("status 101 without a prepared upgrade")
        self.keeps_alive = False
        self._response.switch_protocols(fields)
        upgrade.accept()

    def _announces_long_body(self) -> bool:
        """Whether more of the body is to come than is read after the response."""
        lengths = [value for name, value in self.scope["headers"] if name == b"content-length"]
        return any(int(value) > MAX_DROPPED_BYTES for value in lengths)

    def _complete_response(self) -> None:
        self.is_response_complete = True
        self._body.drop()
        if not self.keeps_alive:
            self._close_connection()
        self._on_response_complete()
