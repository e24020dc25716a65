"""A service behind proxied routes, over the connections of the gateway's transport."""

import asyncio
from functools import partial
from math import inf

import httpx

from gateway.background_tasks import cancel_and_wait
from gateway.http1_grammar import FieldList
from gateway.proxy.upstream.proxy_upstream import ProxyUpstream, ServiceRequest, ServiceResponse
from gateway.proxy.upstream.request_framing import build_framing, serialize_request_head
from gateway.proxy.upstream.upload import BodyNotRead, BodyTimeout, Upload
from gateway.transport.connection import Connection
from gateway.transport.exchange import Exchange
from gateway.transport.origin import Origin
from gateway.transport.raw_response import RawResponse
from gateway.transport.request_writer import IDEMPOTENT
from gateway.transport.response_parser import ResponseHead
from gateway.transport.stale_retry import retry_if_stale
from gateway.transport.timeouts import DeadlineTimeouts
from gateway.transport.transport import Transport


class DirectUpstream(ProxyUpstream):
    """Sends requests as bytes; only a body that is still arriving needs a task of its own."""

    def __init__(self, transport: Transport, origin: Origin, connect_timeout: float) -> None:
        self._pool_of = transport.pool
        self._origin = origin
        self._connect_timeout = connect_timeout
        self._loop = asyncio.get_running_loop()

    async def send(self, request: ServiceRequest) -> ServiceResponse:
        """Send a request; once more over a new connection, if the first one was stale."""
        ends_at = self._loop.time() + request.timeout
        fields = [*request.fields, *build_framing(request)]
        data = serialize_request_head(request.method, request.target, fields)
        if request.upload is not None and request.upload.content is not None:
            data = b"".join((data, *_frame(request.upload.content, request.upload)))
        attempt = partial(_attempt, request, data, ends_at)
        return await retry_if_stale(partial(self._acquire, ends_at), attempt)

    async def _acquire(self, ends_at: float, force_new: bool) -> Connection:
        pool = self._pool_of(self._origin)
        connection = None if force_new else pool.acquire_nowait()
        if connection is None:
            timeouts = DeadlineTimeouts(pool.loop, ends_at, self._connect_timeout)
            connection = await pool.acquire(timeouts, force_new=force_new)
        return connection


async def _attempt(
    request: ServiceRequest, data: bytes, ends_at: float, connection: Connection
) -> tuple[ServiceResponse | httpx.TransportError, bool]:
    upload = None if request.is_whole else request.upload
    response = DirectResponse(Exchange(connection), request, connection.loop)
    try:
        await response.exchange_heads(data, upload, ends_at)
    except httpx.TransportError as error:
        is_stale = response.is_retryable and not (upload is not None and upload.has_begun)
        await response.aclose()
        return error, is_stale
    except BaseException:
        await response.aclose()
        raise
    return response, False


class DirectResponse(ServiceResponse):
    """An exchange on a connection, and the task that sends the body of its request."""

    # Invariants:
    #   - Only a request whose body is still arriving has a task, `_sending`. It ends by itself, or
    #     by `aclose`.
    #   - The deadline of the exchange is that of the head while the gateway waits for nothing but
    #     the head; otherwise it is `idle_timeout` after the last byte from either side, or to the
    #     service. It is set only while `_is_waiting`: while the gateway waits for its caller to
    #     read, the service is not to blame.
    #   - A failure of the task fails the exchange, so that the receiving side gets it, too.

    __slots__ = (
        "_exchange", "_is_waiting", "_loop", "_request", "_sending", "body", "fields", "status",
    )  # fmt: skip

    def __init__(
        self, exchange: Exchange, request: ServiceRequest, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.body = None
        self._exchange = exchange
        self._request = request
        self._loop = loop
        self._is_waiting = True
        self._sending: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        """Show the state of the exchange."""
        return f"<{type(self).__name__} {self._exchange.state.value}>"

    @property
    def is_retryable(self) -> bool:
        """Whether the connection was stale."""
        return self._exchange.is_retryable

    @property
    def is_complete(self) -> bool:  # type: ignore[override]
        """Whether all of the response has arrived."""
        return self._exchange.is_complete

    @property
    def trailers(self) -> FieldList:  # type: ignore[override]
        """The fields after a chunked body, once it is complete."""
        return self._exchange.trailers

    async def exchange_heads(self, data: bytes, upload: Upload | None, ends_at: float) -> None:
        """Send `data`, and begin to send the rest of the body; wait for the head of the response.

        `upload` is None if `data` is the whole request.
        """
        request, exchange = self._request, self._exchange
        exchange.begin(
            data,
            is_head=request.method == "HEAD",
            is_replayable=request.method in IDEMPOTENT,
            has_more=upload is not None,
        )
        if request.on_interim is not None or (upload is not None and upload.expects_continue):
            exchange.collect_interim()
        if upload is None:
            exchange.set_deadline(ends_at)
        else:
            upload.slot.follow(exchange.detach)
            self._touch()
            self._sending = self._loop.create_task(self._send(upload), name="upload")
        await self._receive_head()

    async def _receive_head(self) -> None:
        exchange = self._exchange
        try:
            head = await self._receive_final_head()
        except httpx.ReadTimeout as error:
            raise self._find_cause(error) from None
        self.status = head.status
        self.fields = _get_fields(head)
        if isinstance(head, RawResponse):
            self.body = head.body
        elif exchange.is_complete:
            self.body = exchange.take_body()
        else:
            self._end_wait()

    async def _receive_final_head(self) -> ResponseHead | RawResponse:
        """Receive the heads of interim responses, and then that of the final one."""
        exchange, request = self._exchange, self._request
        head = await exchange.receive_head()
        while head.status < 200:
            if head.status == 100 and request.upload is not None:
                request.upload.proceed()
            elif head.status != 100 and request.on_interim is not None:
                await request.on_interim(head.status, _get_fields(head))
            head = await exchange.receive_head()
        return head

    def _find_cause(self, error: httpx.ReadTimeout) -> Exception:
        """Find out for whom the exchange waited when its deadline passed."""
        upload = self._request.upload
        if upload is None or self._sending is None or self._sending.done():
            return error
        return BodyTimeout() if upload.is_receiving else BodyNotRead()

    async def receive(self) -> bytes | None:
        """Return the next piece of the body; None at its end."""
        self._is_waiting = True
        self._touch()
        try:
            piece = await self._exchange.receive_body()
        except httpx.ReadTimeout as error:
            raise self._find_cause(error) from None
        self._end_wait()
        return piece

    async def _send(self, upload: Upload) -> None:
        """Send the body of the request; a failure of it fails the exchange."""
        exchange = self._exchange
        try:
            await upload.wait_for_continue()
            while upload.has_more:
                piece = await upload.receive()
                self._touch()
                upload.slot.add_bytes(len(piece))
                data = _frame(piece, upload)
                if data and not await exchange.write(*data):
                    return  # the response is complete: the connection is not reusable
            exchange.end_request()
            if not exchange.has_head:
                exchange.set_deadline(self._loop.time() + self._request.timeout)
        except Exception as error:  # noqa: BLE001 - the receiving side raises it
            exchange.fail(error)

    def _touch(self) -> None:
        """Start the idle timeout anew: a wait begins, or a byte has arrived from the caller."""
        if self._is_waiting:
            self._exchange.set_idle_timeout(self._request.idle_timeout)

    def _end_wait(self) -> None:
        self._is_waiting = False
        self._exchange.set_deadline(inf)

    def detach(self) -> None:
        """Give up the slot of the connection in the pool."""
        self._exchange.detach()

    async def aclose(self) -> None:
        """End the exchange, and the task that sends the body of the request."""
        self._exchange.close()
        sending, self._sending = self._sending, None
        if sending is not None and not sending.done():
            await cancel_and_wait(sending)


def _frame(piece: bytes, upload: Upload) -> list[bytes]:
    """Frame a piece: a chunk of a chunked body, and after the last one its end with trailers."""
    if upload.length is not None:
        return [piece]
    data = [b"%x\r\n" % len(piece), piece, b"\r\n"] if piece else []
    if not upload.has_more:
        lines = [b"%b: %b\r\n" % field for field in upload.trailers]
        data.append(b"0\r\n%b\r\n" % b"".join(lines))
    return data


def _get_fields(head: ResponseHead | RawResponse) -> FieldList:
    return head.fields
