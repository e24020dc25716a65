"""The short way over our own transport: bytes out, bytes in, and no object of httpx's between."""

import httpx

from clients.address import Address
from clients.channel import Bounds, Channel
from clients.connection import Connection
from clients.message import IDEMPOTENT, Message
from clients.reply import Reply
from clients.request import Request
from clients.response_parser import Head
from clients.sending import send
from clients.transport import Transport
from clients.waits import Until


class PooledChannel(Channel):
    """A channel on the transport's connections themselves; what it sends and reads is the same."""

    def __init__(self, transport: Transport, address: Address, bounds: Bounds) -> None:
        super().__init__(transport, address, bounds)
        self._pool = transport.pool
        self._start = f"HTTP/1.1\r\nHost: {address.host}\r\n"

    async def fetch(self, request: Request, seconds: float) -> Reply:
        """Send a request and read its answer, all of it within so many seconds."""
        pool = self._pool(self._address.origin)
        message = self._message(request)
        waits = Until(pool.loop, seconds, self._bounds.connect_timeout)
        connection, reply = await send(
            pool, message, waits, Connection.ask, message, waits.ends_at, self._bound
        )
        pool.release(connection)
        return reply

    def _message(self, request: Request) -> Message:
        method, target, lines, body = request
        head = f"{method} {self._address.path}{target} {self._start}{lines}\r\n"
        return Message(head.encode("ascii"), body, method == "HEAD", method in IDEMPOTENT)

    def _bound(self, head: Head) -> int:
        return Reply(head.status, head.noted).wanted(self._bounds.max_body_bytes)


def channel_over(transport: httpx.AsyncBaseTransport, address: Address, bounds: Bounds) -> Channel:
    """The shortest way over `transport`; one derived from ours may do something else than ours."""
    if type(transport) is Transport:
        return PooledChannel(transport, address, bounds)
    return Channel(transport, address, bounds)
