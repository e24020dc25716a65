"""A response split in two at any byte, or sent one byte at a time, is read the same."""

import pytest

from gateway.transport.transport import Transport
from tests.gateway.transport.scripted_server import HELLO, OK, Peer, serve_script
from tests.torture.case_server import run_pending_io
from tests.torture.chunked import CHUNKED
from tests.torture.runner import send_request

RESPONSES = {
    "length": HELLO,
    "chunks": CHUNKED + b'2;a="b;"\r\nhe\r\n03\r\nllo\r\n0\r\nX-Sum: 1\r\n\r\n',
    "interim": b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + HELLO,
    "no reason": b"HTTP/1.1 200\r\nX:\r\nContent-Length:  5 \r\n\r\nhello",
    "old": b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello",
    "close": OK + b"Connection: close\r\nContent-Length: 5\r\n\r\nhello",
}


def _split_at_every_byte(response: bytes) -> list[list[bytes]]:
    halves = [[response[:i], response[i:]] for i in range(1, len(response))]
    return [*halves, [response[i : i + 1] for i in range(len(response))]]


@pytest.mark.asyncio(loop_factories=["uvloop"])
@pytest.mark.parametrize("name", RESPONSES)
async def test_every_split(no_unhandled_errors: None, name: str) -> None:
    splits = iter(_split_at_every_byte(RESPONSES[name]))

    async def script(peer: Peer) -> None:
        while True:
            await peer.read_request()
            for piece in next(splits):
                peer.send(piece)
                await run_pending_io()

    async with serve_script(script) as server, Transport() as transport:
        for _ in range(len(RESPONSES[name])):
            outcome = await send_request(transport, server.url)
            assert (outcome.status, outcome.body) == (200, b"hello")
        assert next(splits, None) is None
        assert server.connections == (len(RESPONSES[name]) if name == "close" else 1)
        await transport.aclose()
        await server.wait_done()
