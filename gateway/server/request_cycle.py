"""One request and its answer, as an ASGI app sees them (ASGI 3.0, HTTP message format)."""

import asyncio
from collections.abc import Awaitable, Callable, Generator
from logging import getLogger

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Scope
from uvicorn.server import ServerState

from gateway.server.flow_control import FlowControl
from gateway.server.response_head import Fields, SerializedHead, serialize_head

HIGH_WATER = 65_536

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

log = getLogger("lockgate.edge")


class _Sent:
    """What to await where there is nothing to wait for: a coroutine for each message costs more."""

    def __await__(self) -> Generator[None, None, None]:
        return iter(())  # type: ignore[return-value]  # nobody sends anything into it


_SENT = _Sent()


class RequestResponseCycle:
    """What has come of a request, and what has left of its answer.

    `on_answered` is called once, when the last of the answer is written.
    """

    def __init__(
        self,
        scope: Scope,
        wire: FlowControl,
        server: ServerState,
        loop: asyncio.AbstractEventLoop,
        on_answered: Callable[[], None],
    ) -> None:
        self.scope = scope
        self.keeps_alive = True
        self.expects_continue = False
        self.is_answered = self.is_gone = False
        self._wire = wire
        self._server = server
        self._loop = loop
        self._on_answered = on_answered
        self._task: asyncio.Task[None] | None = None
        # A body that comes with these means nothing (RFC 9110, 9.3.1): it is read and dropped.
        self._has_body = scope["method"] not in {"GET", "HEAD"}
        self._body = bytearray()
        self._is_whole = self._is_read = False
        self._news: asyncio.Event | None = None
        self._head: SerializedHead | None = None
        self._unsent_head = b""
        self._left = 0

    @property
    def held(self) -> int:
        """Bytes of the body that the app has not taken yet."""
        return len(self._body)

    # What the connection says.

    def start(self, app: ASGIApp) -> None:
        """Run the app; who leaves before the answer is whole cancels it."""
        # With a name, which asyncio would otherwise make up for each.
        self._task = self._loop.create_task(self._run(app), name="request")
        self._server.tasks.add(self._task)

    def feed(self, piece: bytes) -> None:
        """Some more of the body."""
        self.expects_continue = False
        if self._has_body and not self.is_answered:
            self._body += piece
            if len(self._body) > HIGH_WATER:
                self._wire.pause_reading()
            self._tell()

    def end(self) -> None:
        """The request is whole."""
        self.expects_continue = False
        self._is_whole = True
        self._tell()

    def leave(self) -> None:
        """The client is gone."""
        self.is_gone = True
        self._tell()
        if self._task is not None and not self.is_answered:
            # One that has not begun yet never comes to its own end.
            self._task.add_done_callback(self._server.tasks.discard)
            self._task.cancel()

    async def _run(self, app: ASGIApp) -> None:
        try:
            await app(self.scope, self.receive, self.send)
        except asyncio.CancelledError:
            if not self.is_gone:
                raise
        except Exception as error:
            is_no_news = isinstance(error, OSError | ClientDisconnect) and self._is_cut_off()
            if not is_no_news:
                log.exception("the app failed")
        finally:
            if self._task is not None:
                self._server.tasks.discard(self._task)
            if not self.is_answered and not self.is_gone:
                self._break_off()

    def _break_off(self) -> None:
        """The app ended without an answer, or with half of one."""
        if not self._wire.is_closing and (self._head is None or self._unsent_head):
            length = (b"content-length", b"0")
            failed = serialize_head(500, [*self._server.default_headers, length], keeps_alive=False)
            self._wire.write(failed.data)
        self._unsent_head = b""
        self.is_answered = True
        self._hang_up()

    def _hang_up(self) -> None:
        if self._is_whole:
            self._wire.close()
        else:
            self._wire.end()

    def _is_cut_off(self) -> bool:
        return self.is_gone or (self._wire.is_closing and not self.is_answered)

    def _tell(self) -> None:
        if self._news is not None:
            self._news.set()

    # What the app says.

    async def receive(self) -> Message:
        """The next piece of the body; after the last one, the news that nobody listens any more."""
        if self.expects_continue and self._head is None and not self._wire.is_closing:
            self.expects_continue = False
            self._wire.write(_CONTINUE)
        while not (self.is_gone or self.is_answered):
            is_all_here = self._is_whole or not self._has_body
            if self._body or (is_all_here and not self._is_read):
                self._is_read = is_all_here
                piece, self._body = bytes(self._body), bytearray()
                return {"type": "http.request", "body": piece, "more_body": not is_all_here}
            await self._hear_more()
        return {"type": "http.disconnect"}

    async def _hear_more(self) -> None:
        self._wire.resume_reading()
        if self._news is None:
            self._news = asyncio.Event()
        self._news.clear()
        await self._news.wait()

    def send(self, message: Message) -> Awaitable[None]:
        """Pass a part of the answer on; waits while the client has much to take.

        Raises:
            OSError: the client has gone.
            RuntimeError: the message has no place here.
        """
        if self._wire.is_full or self._is_cut_off():
            return self._send_when_it_can(message)
        self._take(message)
        return _SENT

    async def _send_when_it_can(self, message: Message) -> None:
        if self._wire.is_full and not self.is_gone:
            await self._wire.drained()
        if self._is_cut_off():
            await asyncio.sleep(0)  # a task that has been cancelled learns it here
            raise OSError("the client has gone")
        self._take(message)

    def _take(self, message: Message) -> None:
        kind = message["type"]
        if kind == "http.response.start" and self._head is None:
            self._begin(message["status"], message.get("headers", ()))
        elif kind == "http.response.body" and self._head is not None and not self.is_answered:
            self._continue(message.get("body", b""), more=message.get("more_body", False))
        else:
            raise RuntimeError(f"{kind} has no place here")

    def _begin(self, status: int, fields: Fields) -> None:
        """Keep the head back for the first of the body, which mostly comes at once."""
        head = self._head = serialize_head(
            status,
            [*self._server.default_headers, *fields],
            to_head=self.scope["method"] == "HEAD",
            # Who still waits to be asked for a body may send it, or not: no telling what follows.
            keeps_alive=self.keeps_alive and not self.expects_continue,
            chunks=self.scope["http_version"] != "1.0",
        )
        self.keeps_alive = not head.closes
        self._left = head.length or 0
        self._unsent_head = head.data
        self._loop.call_soon(self._send_head)

    def _send_head(self) -> None:
        if self._unsent_head and not self._wire.is_closing:
            self._wire.write(self._unsent_head)
            self._unsent_head = b""

    def _continue(self, body: bytes, *, more: bool) -> None:
        data = self._unsent_head + self._framed(body, more=more)
        self._unsent_head = b""
        if data:
            self._wire.write(data)
        if not more:
            self._finish()

    def _framed(self, body: bytes, *, more: bool) -> bytes:
        assert self._head is not None  # noqa: S101 - _take has looked
        if self._head.bodiless:
            return b""
        if self._head.length is not None:
            self._left -= len(body)
            if self._left < 0 or (self._left and not more):
                raise RuntimeError("the body is not as long as its Content-Length says")
            return body
        if not self._head.chunked:
            return body
        chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
        return chunk if more else chunk + b"0\r\n\r\n"

    def _finish(self) -> None:
        self.is_answered = True
        self._body.clear()
        self._tell()
        if not self.keeps_alive:
            self._hang_up()
        self._on_answered()
