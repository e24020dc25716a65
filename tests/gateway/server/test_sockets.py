"""Connections that end, on real sockets with asyncio and uvloop, and what the client receives."""

import asyncio
import json
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.server.uvicorn_internals import ServerState
from tests.gateway.server.in_memory import Echo, send_without_end
from tests.gateway.server.serve_app import serve_app

TIMEOUT_SECONDS = 10
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
LONG = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 3000000\r\n\r\n"
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: on, with 0 s

type_of_loop = pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
Loop = Callable[[], asyncio.AbstractEventLoop]


def run(loop: Loop, test: Awaitable[None]) -> None:
    async def within() -> None:
        await asyncio.wait_for(test, TIMEOUT_SECONDS)

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(within())


class Endless:
    """An app that sends without end, and records when it is stopped."""

    def __init__(self) -> None:
        self.begun, self.ended = asyncio.Event(), asyncio.Event()

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        try:
            await send_without_end(send, self.begun)
        finally:
            self.ended.set()


async def send_and_read(app: ASGIApp, *sent: bytes) -> bytes:
    """Send these pieces, and return all that is received until the connection ends."""
    async with serve_app(app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for piece in sent:
            writer.write(piece)
        response = await reader.read()
        writer.close()
        await writer.wait_closed()
        return response


async def wait_until_empty(state: ServerState) -> None:
    for _ in range(1_000):
        if not (state.connections or state.tasks):
            return
        await asyncio.sleep(0.005)
    pytest.fail("a connection or a task is left")


@type_of_loop
def test_a_client_that_still_sends_its_body_gets_the_whole_response(loop: Loop) -> None:
    async def test() -> None:
        response = await send_and_read(Echo(reads=False), LONG + b"x" * 3_000_000)
        assert response.endswith(b"\r\n\r\nok")

    run(loop, test())


@type_of_loop
def test_a_client_that_still_sends_garbage_gets_the_whole_431(loop: Loop) -> None:
    async def test() -> None:
        response = await send_and_read(Echo(), b"GET / HTTP/1.1\r\n", b"x: " + b"y" * 3_000_000)
        assert b"content-type: application/problem+json\r\n" in response
        assert json.loads(response.partition(b"\r\n\r\n")[2])["status"] == 431

    run(loop, test())


@type_of_loop
def test_a_reset_ends_the_response(loop: Loop) -> None:
    async def test() -> None:
        app, state = Endless(), ServerState()
        async with serve_app(app, state) as port:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(GET)
            await app.begun.wait()
            own: socket.socket = writer.get_extra_info("socket")
            own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            writer.transport.abort()
            await app.ended.wait()
            await wait_until_empty(state)

    run(loop, test())


@type_of_loop
def test_the_end_of_what_the_client_sends_is_a_disconnect(loop: Loop) -> None:
    async def test() -> None:
        app, state = Echo(), ServerState()
        app.go.clear()
        async with serve_app(app, state) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(GET)
            writer.write_eof()
            assert await reader.read() == b""
            await wait_until_empty(state)
            writer.close()
            await writer.wait_closed()
        assert app.cancelled == app.begun == 1

    run(loop, test())


@type_of_loop
def test_many_short_connections_leave_nothing_behind(loop: Loop) -> None:
    async def test() -> None:
        app, state = Echo(), ServerState()
        app.go.clear()
        async with serve_app(app, state) as port:
            for sent in [b"", GET, GET[:9], GET * 3, b"\0"] * 20:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(sent)
                await asyncio.sleep(0)
                writer.close()
                await writer.wait_closed()
            await wait_until_empty(state)
        assert app.cancelled == app.begun
        assert app.seen == []

    run(loop, test())


@type_of_loop
def test_tls_behaves_the_same(loop: Loop, tmp_path: Path) -> None:
    async def test() -> None:
        app = Echo()
        ours, theirs = _contexts(tmp_path)
        async with serve_app(app, tls=ours) as port:
            for sent in (GET * 2 + GET[:-2] + b"Connection: close\r\n\r\n", b"\0"):
                reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=theirs)
                writer.write(sent)
                response = await reader.read()
                assert response.count(b"HTTP/1.1") == (1 if sent == b"\0" else 3)
                writer.close()
                await writer.wait_closed()
        assert {scope["scheme"] for scope, _ in app.seen} == {"https"}

    run(loop, test())


def _contexts(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    both = folder / "both.pem"
    written = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    both.write_bytes(written + certificate.public_bytes(pem))
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.load_cert_chain(both)
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    theirs.check_hostname, theirs.verify_mode = False, ssl.CERT_NONE
    return ours, theirs
