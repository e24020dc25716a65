"""A request as bytes (RFC 9112, 3): its head at once, its body whole or piece by piece."""

import re
from collections.abc import AsyncGenerator
from typing import NamedTuple, Self, cast

import httpx

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_TARGET = re.compile(rb"[\x21-\x7e\x80-\xff]+")
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")

_NUMBER = re.compile(r"[0-9]{1,18}")
_LAST_CHUNK = b"0\r\n\r\n"
_OTHER_LENGTH = "the body is not as long as its Content-Length says"

# RFC 9110, 9.2.2
IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})


class SerializedRequest(NamedTuple):
    """What goes over the wire.

    `bodiless`: its answer has no body. `replayable`: it can be sent a second time, and that
    does no more than the first did.
    """

    head: bytes
    body: bytes | AsyncGenerator[bytes, None]
    bodiless: bool
    replayable: bool

    @classmethod
    async def serialize(cls, request: httpx.Request) -> Self:
        """Write `request` down.

        Raises:
            httpx.LocalProtocolError: it cannot be written without saying something else.
        """
        head = _head(request)
        whole = isinstance(request.stream, httpx.ByteStream)
        return cls(
            head,
            _framed(request, await request.aread()) if whole else _pieces(request),
            bodiless=request.method == "HEAD",
            replayable=whole and request.method in IDEMPOTENT,
        )


def _head(request: httpx.Request) -> bytes:
    method, target = request.method.encode(), request.url.raw_path
    if not _TOKEN.fullmatch(method) or method == b"CONNECT" or not _TARGET.fullmatch(target):
        raise httpx.LocalProtocolError("no such method, or not a target")
    lines = [b"%b %b HTTP/1.1\r\n" % (method, target)]
    for name, value in request.headers.raw:
        if not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
            raise httpx.LocalProtocolError("a header field is not one")
        lines.append(b"%b: %b\r\n" % (name, value))
    lines.append(b"\r\n")
    return b"".join(lines)


def _length(request: httpx.Request) -> int | None:
    """What the head says of the body's length; None for chunks (RFC 9112, 6)."""
    length, coding = map(request.headers.get, ("content-length", "transfer-encoding"))
    if coding is None and (length is None or _NUMBER.fullmatch(length)):
        return int(length or 0)
    if coding != "chunked" or length is not None:
        raise httpx.LocalProtocolError("the length of the body is ambiguous")
    return None


def _framed(request: httpx.Request, body: bytes) -> bytes:
    length = _length(request)
    if length is None:
        return _chunk(body) + _LAST_CHUNK
    if length != len(body):
        raise httpx.LocalProtocolError(_OTHER_LENGTH)
    return body


def _pieces(request: httpx.Request) -> AsyncGenerator[bytes, None]:
    stream = cast("httpx.AsyncByteStream", request.stream)
    length = _length(request)
    return _chunked(stream) if length is None else _measured(stream, length)


async def _measured(stream: httpx.AsyncByteStream, length: int) -> AsyncGenerator[bytes, None]:
    async for piece in stream:
        length -= len(piece)
        if length < 0:
            break
        yield piece
    if length:
        raise httpx.LocalProtocolError(_OTHER_LENGTH)


async def _chunked(stream: httpx.AsyncByteStream) -> AsyncGenerator[bytes, None]:
    async for piece in stream:
        yield _chunk(piece)
    yield _LAST_CHUNK


def _chunk(piece: bytes) -> bytes:
    # An empty one would end the body.
    return b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b""
