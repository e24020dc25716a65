"""Serializes a request (RFC 9112, 3): the head at once, the body whole or piece by piece."""

import re
from collections.abc import AsyncGenerator
from typing import NamedTuple, Self, cast

import httpx

from gateway.http1_grammar import FIELD_VALUE, MAX_LENGTH_DIGITS, REQUEST_TARGET, TOKEN

_LENGTH = re.compile(rf"[0-9]{{1,{MAX_LENGTH_DIGITS}}}")
_LAST_CHUNK = b"0\r\n\r\n"
_OTHER_LENGTH = "the length of the body differs from its Content-Length"

# RFC 9110, 9.2.2; QUERY is draft-ietf-httpbis-safe-method-w-body.
IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "QUERY"})


class SerializedRequest(NamedTuple):
    """A request as bytes.

    `has_no_response_body` is true for HEAD. `is_replayable` is true if the request can be sent a
    second time without a second effect: its method is idempotent, and its body is kept.
    """

    head: bytes
    body: bytes | AsyncGenerator[bytes, None]
    has_no_response_body: bool
    is_replayable: bool

    @classmethod
    async def serialize(cls, request: httpx.Request) -> Self:
        """Serialize an httpx request.

        Raises:
            httpx.LocalProtocolError: its head is invalid, or its body has an ambiguous length.
        """
        head = _serialize_head(request)
        is_whole = isinstance(request.stream, httpx.ByteStream)
        return cls(
            head,
            _serialize_body(request, await request.aread()) if is_whole else _stream_body(request),
            has_no_response_body=request.method == "HEAD",
            is_replayable=is_whole and request.method in IDEMPOTENT,
        )


def _serialize_head(request: httpx.Request) -> bytes:
    method, target = request.method.encode(), request.url.raw_path
    if not TOKEN.fullmatch(method) or method == b"CONNECT":
        raise httpx.LocalProtocolError(f"invalid or unsupported method: {request.method[:20]!r}")
    if not REQUEST_TARGET.fullmatch(target):
        raise httpx.LocalProtocolError("invalid request target")
    lines = [b"%b %b HTTP/1.1\r\n" % (method, target)]
    for name, value in request.headers.raw:
        if not TOKEN.fullmatch(name):
            raise httpx.LocalProtocolError("invalid header field name")
        if not FIELD_VALUE.fullmatch(value):
            raise httpx.LocalProtocolError(f"invalid value of the header field {name.decode()}")
        lines.append(b"%b: %b\r\n" % (name, value))
    lines.append(b"\r\n")
    return b"".join(lines)


def _parse_length(request: httpx.Request) -> int | None:
    """Return the announced length of the body; None if it is chunked (RFC 9112, 6)."""
    length, coding = map(request.headers.get, ("content-length", "transfer-encoding"))
    if coding is None and (length is None or _LENGTH.fullmatch(length)):
        return int(length or 0)
    if coding != "chunked" or length is not None:
        raise httpx.LocalProtocolError(
            "ambiguous body length: set one Content-Length, or Transfer-Encoding: chunked"
        )
    return None


def _serialize_body(request: httpx.Request, body: bytes) -> bytes:
    length = _parse_length(request)
    if length is None:
        return _serialize_chunk(body) + _LAST_CHUNK
    if length != len(body):
        raise httpx.LocalProtocolError(_OTHER_LENGTH)
    return body


def _stream_body(request: httpx.Request) -> AsyncGenerator[bytes, None]:
    stream = cast("httpx.AsyncByteStream", request.stream)
    length = _parse_length(request)
    return _stream_chunks(stream) if length is None else _stream_pieces(stream, length)


async def _stream_pieces(stream: httpx.AsyncByteStream, length: int) -> AsyncGenerator[bytes, None]:
    async for piece in stream:
        length -= len(piece)
        if length < 0:
            break
        yield piece
    if length:
        raise httpx.LocalProtocolError(_OTHER_LENGTH)


async def _stream_chunks(stream: httpx.AsyncByteStream) -> AsyncGenerator[bytes, None]:
    async for piece in stream:
        yield _serialize_chunk(piece)
    yield _LAST_CHUNK


def _serialize_chunk(piece: bytes) -> bytes:
    # A chunk of length zero would end the body.
    return b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b""
