"""Compresses responses as `Accept-Encoding` allows: `server.compression`."""

import asyncio
import re
from collections.abc import Awaitable, Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.content_encoding import CODINGS, MIN_BYTES, Choice, Encoder, choose_coding
from gateway.http1_grammar import Fields
from gateway.request_context import NO_TRANSFORM

MAX_BYTES_ON_LOOP = 65_536  # which take a quarter of a millisecond; more is encoded in a thread

_ACCEPT_ENCODING = b"accept-encoding"
VARY_BY_CODING = (b"vary", b"accept-encoding")

_COMPRESSIBLE = re.compile(
    rb"(?:text/(?!event-stream)[^;]*|[^;]*\+(?:json|xml|text)"
    rb"|application/(?:json|javascript|ecmascript|xml|x-ndjson|jsonl|graphql|wasm|manifest)"
    rb"|image/(?:svg\+xml|bmp|x-icon)|font/(?:ttf|otf))[ \t]*(?:;.*)?",
    re.IGNORECASE,
)
_WITHOUT_BODY = frozenset({204, 205, 206, 304})  # or with a part of one

# Fields of responses that are encoded already, or whose value depends on the bytes as they are.
_OBSTACLES = frozenset(
    {b"content-encoding", b"content-range", b"content-digest", b"repr-digest", b"digest"}
)


class Compression:
    """ASGI middleware that encodes compressible responses of a known length.

    A stream, whose length is not known, passes as it is: its pieces must arrive when they are sent.
    So does the response to a request that accepts no coding; `complete_head` adds its `Vary`.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve a request; anything but HTTP passes through."""
        if scope["type"] == "http":
            for name, _ in scope["headers"]:
                if name == _ACCEPT_ENCODING:
                    return self.app(scope, receive, _choose_sender(scope, send))
        return self.app(scope, receive, send)


def _choose_sender(scope: Scope, send: Send) -> Send:
    accepted = [value for name, value in scope["headers"] if name == _ACCEPT_ENCODING]
    choice = choose_coding(b",".join(accepted))
    return send if choice.coding is None else _EncodingSender(choice, choice.coding, send).send


class _EncodingSender:
    """Holds the head of a response back until the first piece of its body, and encodes the body."""

    # `_start` is the head while it is held back, and `_encoder` encodes the body after it. The
    # response of a service behind a proxied route passes as it is (`_is_transparent`).

    def __init__(self, choice: Choice, coding: str, send: Send) -> None:
        self._min_bytes = 0 if choice.is_identity_refused else MIN_BYTES
        self._coding = coding
        self._send = send
        self._start: Message | None = None
        self._length = 0
        self._encoder: Encoder | None = None
        self._is_transparent = False

    def send(self, message: Message) -> Awaitable[None]:
        if NO_TRANSFORM in message:
            self._is_transparent = True
        return self._send(message) if self._is_transparent else self._send_encoded(message)

    async def _send_encoded(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            length = find_encodable_length(message, self._min_bytes)
            if length is not None:
                self._start, self._length = message, length
                return
        elif message["type"] == "http.response.body":
            if self._start is not None:
                await self._send_start(self._start, message)
            if self._encoder is not None:
                message = await self._encode(self._encoder, message)
        await self._send(message)

    async def _send_start(self, start: Message, first: Message) -> None:
        """Send the head, with the length of the body if that is encoded as a whole."""
        body, encoder = first.get("body", b""), CODINGS[self._coding]()
        self._start = None
        fields = [*_iter_encoded_fields(start["headers"], self._coding)]
        if len(body) < self._length:
            self._encoder = encoder
        else:
            encoded = await _run(encoder.encode, body)
            if len(encoded) >= len(body) and self._min_bytes:
                fields = [*start["headers"], VARY_BY_CODING]
            else:
                fields.append((b"content-length", b"%d" % len(encoded)))
                first["body"] = encoded
        await self._send({**start, "headers": fields})

    async def _encode(self, encoder: Encoder, message: Message) -> Message:
        encode = encoder.add if message.get("more_body", False) else encoder.encode
        return {**message, "body": await _run(encode, message.get("body", b""))}


async def _run(encode: Callable[[bytes], bytes], piece: bytes) -> bytes:
    if len(piece) > MAX_BYTES_ON_LOOP:
        return await asyncio.to_thread(encode, piece)
    return encode(piece)


def find_encodable_length(start: Message, min_bytes: int = MIN_BYTES) -> int | None:
    """Return the length of a body that may be encoded; None for any other response."""
    length, is_compressible = -1, False
    for name, value in start.get("headers", ()):
        if name in _OBSTACLES or (name == b"cache-control" and b"no-transform" in value.lower()):
            return None
        if name == b"content-length":
            length = int(value)
        elif name == b"content-type":
            is_compressible = _COMPRESSIBLE.fullmatch(value) is not None
    is_long_enough = length >= max(min_bytes, 1)
    if not (is_compressible and is_long_enough) or start["status"] in _WITHOUT_BODY:
        return None
    return length


def _iter_encoded_fields(fields: Fields, coding: str) -> Fields:
    """Yield the fields of the encoded response; its entity tag is weak (RFC 9110, 8.8.1)."""
    for name, value in fields:
        if name == b"etag" and not value.startswith(b"W/"):
            yield name, b"W/" + value
        elif name not in {b"content-length", b"accept-ranges"}:
            yield name, value
    yield b"content-encoding", coding.encode()
    yield VARY_BY_CODING
