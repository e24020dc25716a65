"""The handshake with the service: its request, and the checks of its response (RFC 6455, 4.1)."""

import asyncio
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha1
from typing import NamedTuple

from gateway.http1_grammar import FieldList
from gateway.proxy.websocket.caller_handshake import get_values, split_list
from gateway.proxy.websocket.frame_reader import ALL_RESERVED_BITS, COMPRESSED_BIT
from gateway.transport.exchange import Exchange
from gateway.transport.origin import Origin
from gateway.transport.raw_response import RawResponse
from gateway.transport.response_parser import ResponseHead
from gateway.transport.timeouts import DeadlineTimeouts
from gateway.transport.transport import Transport

MAX_REFUSAL_BYTES = 65_536
"""The longest body of a response other than 101 that is passed on."""

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_COMPRESSION = frozenset({b"permessage-deflate", b"x-webkit-deflate-frame"})


class InvalidHandshake(Exception):
    """The service has responded with what a client must not accept; the message says what."""


class HandshakeRefusal(NamedTuple):
    """A response other than 101, with its whole body."""

    status: int
    fields: FieldList
    body: bytes


async def open_websocket(
    transport: Transport, origin: Origin, head: bytes, *, ends_at: float, connect_timeout: float
) -> tuple[ResponseHead | RawResponse, Exchange]:
    """Send a handshake over a connection of its own, and wait for the head of the response.

    `ends_at` is a time of the event loop's clock. The caller closes or upgrades the exchange.

    Raises:
        httpx.TransportError: there is no response in time.
    """
    loop = asyncio.get_running_loop()
    timeouts = DeadlineTimeouts(loop, ends_at, connect_timeout)
    exchange = Exchange(await transport.pool(origin).open_detached(timeouts))
    try:
        exchange.begin(head)
        exchange.collect_interim(can_upgrade=True)
        exchange.set_deadline(ends_at)
        response = await exchange.receive_head()
        while response.status < 200 and response.status != 101:
            response = await exchange.receive_head()
    except BaseException:
        exchange.close()
        raise
    return response, exchange


async def read_refusal(
    response: ResponseHead | RawResponse, exchange: Exchange
) -> HandshakeRefusal:
    """Read the body of a response other than 101.

    Raises:
        InvalidHandshake: it is longer than MAX_REFUSAL_BYTES.
        httpx.TransportError: it did not arrive in time.
    """
    if isinstance(response, RawResponse):
        _check_size(response.status, response.body)
        return HandshakeRefusal(response.status, response.fields, response.body)
    body = bytearray()
    while (piece := await exchange.receive_body()) is not None:
        body += piece
        _check_size(response.status, body)
    return HandshakeRefusal(response.status, response.fields, bytes(body))


def _check_size(status: int, body: bytes | bytearray) -> None:
    if len(body) > MAX_REFUSAL_BYTES:
        raise InvalidHandshake(f"status {status} with more than {MAX_REFUSAL_BYTES} bytes")


def check_acceptance(sent: Sequence[tuple[bytes, bytes]], received: FieldList) -> int:
    """Check a 101 against the handshake that was sent; return the reserved bits in use.

    Raises:
        InvalidHandshake: the service accepts what was not asked for.
    """
    sent = list(sent)
    key = get_values(sent, b"sec-websocket-key")[0]
    expected = b64encode(sha1(key + _GUID, usedforsecurity=False).digest())
    if get_values(received, b"sec-websocket-accept") != [expected]:
        raise InvalidHandshake("101 without the right Sec-WebSocket-Accept")
    if b"websocket" not in _list_tokens(received, b"upgrade"):
        raise InvalidHandshake("101 without Upgrade: websocket")
    if b"upgrade" not in _list_tokens(received, b"connection"):
        raise InvalidHandshake("101 without Connection: upgrade")
    protocols = get_values(received, b"sec-websocket-protocol")
    offered = split_list(get_values(sent, b"sec-websocket-protocol"))
    if len(protocols) > 1 or not set(protocols) <= set(offered):
        raise InvalidHandshake("101 with a subprotocol that the caller has not offered")
    extensions = _list_extensions(received)
    if not extensions <= _list_extensions(sent):
        raise InvalidHandshake("101 with an extension that the caller has not offered")
    if not extensions:
        return 0
    return COMPRESSED_BIT if extensions <= _COMPRESSION else ALL_RESERVED_BITS


def _list_tokens(fields: FieldList, name: bytes) -> list[bytes]:
    return [token.lower() for token in split_list(get_values(fields, name))]


def _list_extensions(fields: FieldList) -> set[bytes]:
    elements = split_list(get_values(fields, b"sec-websocket-extensions"))
    return {element.partition(b";")[0].strip(b" \t").lower() for element in elements}
