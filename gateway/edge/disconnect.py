"""Stops what runs for a client that has gone away.

Without this an ASGI framework runs a request to its end for nobody: the calls it makes, their
sockets and their share of the pool with it.
"""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.exchange import Exchange

CLIENT_CLOSED_REQUEST = 499  # nginx's number for the log; nobody is there to receive it


class CancelOnDisconnect:
    """Pure ASGI middleware: a client that leaves before its answer is whole cancels the request."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection; anything but HTTP passes through."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        client = _Client(receive, send, bodyless=_is_bodyless(scope))
        try:
            await self.app(scope, client.receive, client.send)
        except asyncio.CancelledError:
            if not client.gone:
                raise
            client.request.uncancel()
            Exchange.of(scope).facts["status"] = CLIENT_CLOSED_REQUEST
        finally:
            await client.release()


def _is_bodyless(scope: Scope) -> bool:
    """Whether no body is to be read; one that comes with a GET means nothing (RFC 9110, 9.3.1)."""
    return scope["method"] in {"GET", "HEAD"} or not any(
        (name == b"content-length" and value != b"0") or name == b"transfer-encoding"
        for name, value in scope["headers"]
    )


class _Client:
    """The two ends of a connection, watched from the last byte of the request on."""

    def __init__(self, receive: Receive, send: Send, *, bodyless: bool) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine runs in one
        self.request = task
        self.gone = False
        self._receive = receive
        self._send = send
        self._answered = False
        self._empty_body_due = bodyless
        self._watching = asyncio.create_task(self._watch()) if bodyless else None

    async def receive(self) -> Message:
        """The body of the request, and after it the news that the client has left."""
        if self._empty_body_due:
            self._empty_body_due = False
            return {"type": "http.request", "body": b"", "more_body": False}
        if self._watching is not None:
            return await asyncio.shield(self._watching)
        message = await self._receive()
        if message["type"] == "http.request" and not message.get("more_body"):
            self._watching = asyncio.create_task(self._watch())
        return message

    async def send(self, message: Message) -> None:
        """Pass a part of the answer on; after the last one nothing is left to cancel."""
        if message["type"] == "http.response.body" and not message.get("more_body"):
            self._answered = True
        await self._send(message)

    async def release(self) -> None:
        """End the watch."""
        if self._watching is not None and not self._watching.done():
            self._watching.cancel()
            await asyncio.wait([self._watching])

    async def _watch(self) -> Message:
        while (message := await self._receive())["type"] != "http.disconnect":
            pass
        if not self._answered:
            self.gone = True
            self.request.cancel()
        return message
