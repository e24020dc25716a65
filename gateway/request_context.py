"""The context of one request, kept in its ASGI scope from the first middleware to the last."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from random import getrandbits
from typing import Protocol, Self

from starlette.types import Scope

from gateway.telemetry.log import LogField

_KEY = "lockgate.request_context"

DISCARD_RESPONSE = "lockgate.response.discard"
"""An ASGI extension of the gateway's server, and the type of its message.

The message discards the head of a response of which no byte has been written, so that the failure
of its body can still become an error response. The server raises a RuntimeError if it is too late.
"""

INTERIM_RESPONSE = "lockgate.response.interim"
"""An ASGI extension of the gateway's server, and the type of its message.

The message sends an interim response, such as 103, with its `status` and `headers`, before the
response itself. Without a message of status 100, the server sends `100 Continue` to a client that
waits for it when the app first calls `receive`. The extension is absent for an HTTP/1.0 client.
"""

RESPONSE_TRAILERS = "http.response.trailers"
"""The ASGI extension of this name: it is present if the client has sent `TE: trailers`.

Without it, or if the response is not chunked, the server drops the trailers of an app.
"""

WHOLE_BODY = "lockgate.request.whole_body"
"""An ASGI extension of the gateway's server: the whole body of the request has arrived.

An app that receives it does not wait. The extension is absent if the request has no body.
"""

IS_DRAINING = "lockgate.is_draining"
"""Set in the state of the ASGI scope while the server drains: it will stop in a few seconds."""

SHUTDOWN_NOTICE = "lockgate.shutdown_notice"
"""A `ShutdownNotice` of the gateway's server, in the state of the ASGI scope.

It reports that the server stops, to a response that would not end by itself.
"""

IS_OVER_CONNECTION_LIMIT = "lockgate.is_over_connection_limit"
"""Set in the state of the ASGI scope of a connection that was accepted for probes alone."""


REQUEST_METHOD = "lockgate.request_method"
"""A key of the ASGI scope of a request that is served as another method: the one that was sent."""

PUBLIC_PATH = "lockgate.public_path"
"""A key of the ASGI scope of a request that another gateway serves: the path that was sent."""

NO_TRANSFORM = "lockgate.no_transform"
"""A key of the message `http.response.start`: no middleware may encode or hold back the body."""


class Admission(Protocol):
    """The limit that has admitted a request and counts it."""

    def release(self) -> None:
        """Count the request no longer."""


@dataclass(slots=True)
class RequestContext:
    """The id of a request, and data for its response headers and its line in the access log.

    `response_headers` holds raw header fields with lower-case names. `server_timing` holds
    (name, seconds) pairs for the `Server-Timing` header. `log_fields` are added to the line in the
    access log; they must never hold a token, a body or other confidential data.

    `status` and `bytes_sent` describe the response so far; a status of 0 means that no response
    has been started. `is_failure_logged` is set once an unexpected exception of the request has
    been logged, so that the server does not log it again. `has_client_gone` is set once `send`
    has raised an OSError: by that, an ASGI server says that the client has disconnected.
    `is_private` is set once a token has been asked for: the response may be for one caller alone.
    `admission` is the limit that counts the request as one in flight; None once none does.
    `passed_guards` has the guards that admitted the request before its body was read; see
    `HeadGuard`.
    `end_callbacks` are called once the request has ended; see `call_at_end`.
    """

    request_id: str = ""
    response_headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    log_fields: dict[str, LogField] = field(default_factory=dict)
    server_timing: list[tuple[str, float]] = field(default_factory=list)
    status: int = 0
    bytes_sent: int = 0
    is_failure_logged: bool = False
    has_client_gone: bool = False
    is_private: bool = False
    admission: Admission | None = None
    passed_guards: Collection[object] = ()
    end_callbacks: tuple[Callable[[], None], ...] = ()

    @classmethod
    def of(cls, scope: Scope) -> Self:
        """Return the context of this scope; create one if no middleware has."""
        context: Self | None = scope.get(_KEY)
        if context is None:
            context = scope[_KEY] = cls()
        return context

    def call_at_end(self, callback: Callable[[], None]) -> None:
        """Call a function once when the request has ended, in whatever way.

        That is once the app has returned or raised: after the last byte of a stream, the close of a
        WebSocket and the background tasks, or when the client has gone. It must not raise.
        """
        self.end_callbacks = (*self.end_callbacks, callback)

    def end(self) -> None:
        """Call what waits for the end of the request."""
        callbacks, self.end_callbacks = self.end_callbacks, ()
        for callback in callbacks:
            callback()

    def leave_admission(self) -> None:
        """Count the request no longer as one in flight: it has become a stream."""
        admission, self.admission = self.admission, None
        if admission is not None:
            admission.release()


def generate_request_id() -> str:
    """Generate a random id for a request that has none: 32 hexadecimal digits."""
    return getrandbits(128).to_bytes(16).hex()
