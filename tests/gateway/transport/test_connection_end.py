"""The reasons of connections that end early; test_open_client.py has those without TLS."""

import errno
import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import httpx
import pytest

from gateway.transport.connection_end import build_end_error, build_malformed_error
from gateway.transport.response_parser import MalformedResponse
from gateway.transport.transport import Transport
from tests.gateway.transport.certificate_authority import Authority
from tests.gateway.transport.requests import fetch_body


@contextmanager
def serve_handshake(context: ssl.SSLContext) -> Iterator[str]:
    """Accept one connection, and let OpenSSL itself send its alert, which asyncio does not."""

    def serve() -> None:
        accepted, _ = listener.accept()
        with accepted.dup() as connection, suppress(ConnectionError):
            with suppress(ssl.SSLError):
                context.wrap_socket(accepted, server_side=True)
            while connection.recv(65_536):
                pass  # unread data would replace the alert by a reset

    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        pool.submit(serve)
        yield f"https://127.0.0.1:{listener.getsockname()[1]}/"


async def test_the_alert_of_a_server_that_requires_a_certificate_is_named(
    no_leaks: None, authority: Authority
) -> None:
    context = authority.make_server_context("127.0.0.1")
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority.certificate_file)
    with serve_handshake(context) as url:
        async with Transport(tls=authority.make_client_context()) as transport:
            with pytest.raises(httpx.ReadError) as failed:
                await fetch_body(transport, url)
    assert str(failed.value) == (
        "TLS failed: TLSV13_ALERT_CERTIFICATE_REQUIRED before the response"
    )


@pytest.mark.parametrize(
    ("error", "described"),
    [
        (None, "the server closed the connection"),
        (ConnectionResetError(), "Connection reset by peer"),
        (OSError(errno.ETIMEDOUT, "[Errno 110] in the words of asyncio"), "Connection timed out"),
        (RuntimeError("may quote anything"), "RuntimeError"),
    ],
)
def test_the_words_of_the_system(error: Exception | None, described: str) -> None:
    assert str(build_end_error(error, None, may_need_tls=False)) == (
        f"{described} before the response"
    )


@pytest.mark.parametrize(
    ("data", "described"),
    [
        (b"\x15\x03\x01\x00\x02\x02\x46", "the port speaks TLS: the url must begin with https://"),
        (b"\x15\x04", "no status line"),
    ],
)
def test_a_tls_alert_is_recognized(data: bytes, described: str) -> None:
    assert str(build_malformed_error(MalformedResponse("no status line"), data)) == described
