"""Responses of a service that arrive piece by piece."""

import asyncio

from tests.gateway.transport.scripted_server import OK, Peer

CHUNKED = OK + b"Content-Type: text/event-stream\r\nX-A: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
ITEM = OK + b"Content-Type: application/json\r\nContent-Length: 11\r\n\r\n" + b'{"sku":"A"}'


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


async def one_piece(peer: Peer) -> None:
    """Send a piece of a body, and then nothing."""
    await peer.read_request()
    peer.send(CHUNKED + chunk(b"one"))
    await peer.wait_closed()


async def drip(peer: Peer) -> None:
    """Send a body that has no end, a byte each 10 ms."""
    await peer.read_request()
    peer.send(CHUNKED)
    while True:
        peer.send(chunk(b"x"))
        await asyncio.sleep(0.01)
