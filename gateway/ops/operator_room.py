"""`OperatorRoom`: bounds what one operator has in flight, so that there is room for the others."""

from collections import Counter
from contextlib import suppress
from typing import TypeVar

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.auth.dependencies import find_principal
from gateway.errors.problem_json import build_gateway_problem
from gateway.errors.tree import Overloaded
from gateway.request_context import INTERIM_RESPONSE, RequestContext

MAX_PER_TOKEN = 24
"""The requests in flight with one value of `Authorization`; those without any are one more."""

MAX_BODIES = 4
"""The bodies of one operator (the subject of the token) that are being received."""

RETRY_AFTER_SECONDS = 1.0

_Key = TypeVar("_Key")


class OperatorRoom:
    """ASGI middleware that refuses with 503 what is too much for one token or one operator.

    The token is not verified yet, and its operator not known, when a request arrives. Guards verify
    it before the first byte of the body is read, so bodies are counted by operator: it may have
    many tokens.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._requests = Counter[bytes]()
        self._bodies = Counter[tuple[str, str]]()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        token = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        if self._requests[token] >= MAX_PER_TOKEN:
            explanation = f"one token may have {MAX_PER_TOKEN} requests in flight"
            await _refuse(explanation, scope, receive, send)
            return
        self._requests[token] += 1
        try:
            await self._serve(scope, receive, send)
        finally:
            _decrement(self._requests, token)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = _CountedBody(self._bodies, scope, receive, send)
        try:
            with suppress(_TooManyBodies):
                await self._app(scope, body.receive, body.send)
        finally:
            body.release()
        if body.is_refused and not body.has_response:
            explanation = f"one operator may send {MAX_BODIES} bodies at a time"
            await _refuse(explanation, scope, receive, send)


class _TooManyBodies(Exception):
    """The operator sends too many bodies at a time."""


class _CountedBody:
    """Counts a body from the first read to its end; drops the response to one that is refused."""

    def __init__(
        self, bodies: Counter[tuple[str, str]], scope: Scope, receive: Receive, send: Send
    ) -> None:
        self.is_refused = self.has_response = False
        self._bodies = bodies
        self._scope = scope
        self._receive = receive
        self._send = send
        self._operator: tuple[str, str] | None = None
        self._is_complete = False

    async def receive(self) -> Message:
        if self.is_refused:
            raise _TooManyBodies
        if self._operator is None and not self._is_complete:
            self._begin()
        message = await self._receive()
        if not message.get("more_body", False):
            self._is_complete = True
            self.release()
        return message

    async def send(self, message: Message) -> None:
        if self.is_refused and not self.has_response:
            return
        self.has_response = self.has_response or message["type"] != INTERIM_RESPONSE
        await self._send(message)

    def release(self) -> None:
        """Count the body no longer."""
        if self._operator is not None:
            _decrement(self._bodies, self._operator)
            self._operator = None

    def _begin(self) -> None:
        principal = find_principal(HTTPConnection(self._scope))
        if principal is None:
            return  # refused by a guard, or a public route, which reads no body
        operator = principal.issuer, principal.subject
        if self._bodies[operator] >= MAX_BODIES:
            self.is_refused = True
            raise _TooManyBodies
        self._operator = operator
        self._bodies[operator] += 1


def _decrement(counter: Counter[_Key], key: _Key) -> None:
    counter[key] -= 1
    if not counter[key]:
        del counter[key]


async def _refuse(explanation: str, scope: Scope, receive: Receive, send: Send) -> None:
    context = RequestContext.of(scope)
    context.log_fields["explanation"] = explanation
    refusal = build_gateway_problem(Overloaded(RETRY_AFTER_SECONDS), context)
    await refusal(scope, receive, send)
