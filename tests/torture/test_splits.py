"""An answer cut in two at every byte, and one in single bytes, is the same answer."""

import pytest

from gateway.transport.transport import Transport
from tests.gateway.transport.scripted_server import HELLO, OK, Peer, scripted
from tests.torture.chunks import CHUNKED
from tests.torture.host import settled
from tests.torture.trial import ask

ANSWERS = {
    "length": HELLO,
    "chunks": CHUNKED + b'2;a="b;"\r\nhe\r\n03\r\nllo\r\n0\r\nX-Sum: 1\r\n\r\n',
    "interim": b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + HELLO,
    "no reason": b"HTTP/1.1 200\r\nX:\r\nContent-Length:  5 \r\n\r\nhello",
    "old": b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello",
    "close": OK + b"Connection: close\r\nContent-Length: 5\r\n\r\nhello",
}


def _cut_at_every_byte(answer: bytes) -> list[list[bytes]]:
    cuts = [[answer[:place], answer[place:]] for place in range(1, len(answer))]
    return [*cuts, [answer[place : place + 1] for place in range(len(answer))]]


@pytest.mark.asyncio(loop_factories=["uvloop"])
@pytest.mark.parametrize("name", ANSWERS)
async def test_every_cut(nothing_unheard: None, name: str) -> None:
    cuts = iter(_cut_at_every_byte(ANSWERS[name]))

    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            for piece in next(cuts):
                peer.send(piece)
                await settled()

    async with scripted(script) as server, Transport() as transport:
        for _ in range(len(ANSWERS[name])):
            seen = await ask(transport, server.url)
            assert (seen.status, seen.body) == (200, b"hello")
        assert next(cuts, None) is None
        assert server.connections == (len(ANSWERS[name]) if name == "close" else 1)
        await transport.aclose()
        await server.over()
