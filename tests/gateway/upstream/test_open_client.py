"""Clients as the settings open them, over real sockets, on either transport."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

import pytest
from pydantic import HttpUrl

from gateway.settings.schema import Service
from gateway.upstream.deadline import deadline
from gateway.upstream.errors import UpstreamInvalid, UpstreamTimeout, UpstreamUnavailable
from gateway.upstream.open_client import open_client
from tests.gateway.transport.scripted_server import (
    OK,
    Peer,
    Script,
    ScriptedServer,
    respond_and_close,
    respond_with,
    serve_script,
)
from tests.gateway.upstream.example_client import ExampleClient, Item

Kind = Literal["lockgate", "httpx"]
BODY = b'{"sku":"A"}'
JSON = OK + b"Content-Type: application/json\r\n"
ITEM = JSON + b"Content-Length: 11\r\n\r\n" + BODY

pytestmark = [
    pytest.mark.usefixtures("no_leaks"),
    pytest.mark.parametrize("kind", ["lockgate", "httpx"]),
]


def open_example_client(
    kind: Kind, url: str, *, seconds: float = 5, max_connections: int = 4
) -> ExampleClient:
    service = Service(
        url=HttpUrl(url),
        timeout=seconds,
        connect_timeout=1,
        max_body_bytes=10_000,
        max_connections=max_connections,
        idle_seconds=30,
        transport=kind,
    )
    return open_client(ExampleClient, service)


@asynccontextmanager
async def connect_client(
    kind: Kind, script: Script, *, seconds: float = 5, max_connections: int = 4
) -> AsyncIterator[tuple[ExampleClient, ScriptedServer]]:
    async with (
        serve_script(script) as server,
        open_example_client(
            kind, server.url, seconds=seconds, max_connections=max_connections
        ) as client,
    ):
        yield client, server


async def test_a_value_is_returned_and_the_connection_reused(kind: Kind) -> None:
    async with connect_client(kind, respond_with(ITEM, ITEM)) as (client, server):
        assert await client.item("A") == Item(sku="A")
        assert await client.item("A") == Item(sku="A")
        assert server.connections == 1


async def test_the_connection_is_reused_after_a_refusal(kind: Kind) -> None:
    refusal = b"HTTP/1.1 503 Busy\r\nRetry-After: 2\r\nContent-Length: 4\r\n\r\nbusy"

    async def script(peer: Peer) -> None:
        await peer.read_request()
        await peer.drip([refusal[:60], refusal[60:]])
        await peer.read_request()
        peer.send(ITEM)
        await peer.wait_closed()

    async with connect_client(kind, script) as (client, server):
        with pytest.raises(UpstreamUnavailable) as caught:
            await client.item("A")
        assert caught.value.retry_after == 2
        assert await client.item("A") == Item(sku="A")
        assert server.connections == 1


async def test_an_endless_refusal_is_not_read(kind: Kind) -> None:
    async def script(peer: Peer) -> None:
        await peer.read_request()
        peer.send(b"HTTP/1.1 500 Oh\r\n\r\n")
        while not peer.writer.transport.is_closing():
            await peer.drip([b"a" * 10_000])

    async with connect_client(kind, script) as (client, _):
        with pytest.raises(UpstreamUnavailable) as caught:
            await client.item("A")
        assert caught.value.status == 500


async def test_a_response_byte_by_byte_does_not_extend_the_timeout(kind: Kind) -> None:
    async def script(peer: Peer) -> None:
        await peer.read_request()
        for byte in ITEM * 100:
            await peer.drip([bytes([byte])])
            await asyncio.sleep(0.01)

    async with connect_client(kind, script, seconds=0.1) as (client, _):
        with pytest.raises(UpstreamTimeout):
            await client.item("A")


async def test_a_deadline_around_a_call_ends_it_sooner(kind: Kind) -> None:
    async def script(peer: Peer) -> None:
        await peer.wait_closed()

    async with connect_client(kind, script) as (client, _):
        with deadline(0.05), pytest.raises(UpstreamTimeout):
            await client.item("A")


async def test_waiting_for_a_connection_counts_towards_the_timeout(kind: Kind) -> None:
    async def script(peer: Peer) -> None:
        await peer.wait_closed()

    async with connect_client(kind, script, seconds=0.05, max_connections=1) as (client, server):
        outcomes = await asyncio.gather(
            *(client.item("A") for _ in range(5)), return_exceptions=True
        )
        assert [type(outcome) for outcome in outcomes] == [UpstreamTimeout] * 5
        assert server.connections <= 5


async def test_cancelling_a_call_closes_its_socket(kind: Kind) -> None:
    requested, closed = asyncio.Event(), asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.read_request()
        requested.set()
        await peer.wait_closed()
        closed.set()

    async with connect_client(kind, script) as (client, _):
        call = asyncio.create_task(client.item("A"))
        await asyncio.wait_for(requested.wait(), 60)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await asyncio.wait_for(closed.wait(), 60)


@pytest.mark.parametrize(
    "answer",
    [
        JSON + b"Content-Length: 20000\r\n\r\n" + b" " * 20_000,
        JSON + b"\r\n" + b" " * 20_000,
        JSON + b"Transfer-Encoding: chunked\r\n\r\n4e20\r\n" + b" " * 20_000 + b"\r\n0\r\n\r\n",
        JSON + b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08",
        OK + b"Content-Type: text/html\r\nContent-Length: 11\r\n\r\n" + BODY,
    ],
)
async def test_an_unacceptable_response_is_invalid(kind: Kind, answer: bytes) -> None:
    async with connect_client(kind, respond_and_close(answer)) as (client, _):
        with pytest.raises(UpstreamInvalid):
            await client.item("A")


@pytest.mark.parametrize("answer", [b"", b"nonsense\r\n\r\n", ITEM[:-1], OK])
async def test_a_truncated_response_is_unavailable(kind: Kind, answer: bytes) -> None:
    async with connect_client(kind, respond_and_close(answer)) as (client, _):
        with pytest.raises(UpstreamUnavailable):
            await client.item("A")


async def test_a_reset_is_unavailable(kind: Kind) -> None:
    async def script(peer: Peer) -> None:
        await peer.read_request()
        await peer.drip([ITEM[:-1]])
        peer.reset()

    async with connect_client(kind, script) as (client, _):
        with pytest.raises(UpstreamUnavailable):
            await client.item("A")


async def test_a_refused_connection_is_unavailable(kind: Kind) -> None:
    async with serve_script(respond_with()) as server:
        pass
    async with open_example_client(kind, server.url) as client:
        with pytest.raises(UpstreamUnavailable, match="ConnectError"):
            await client.item("A")


async def test_environment_proxies_are_not_used(
    kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with connect_client(kind, respond_with(ITEM)) as (client, _):
        assert await client.item("A") == Item(sku="A")


async def test_redirects_are_not_followed_and_not_retried(kind: Kind) -> None:
    requests: list[bytes] = []

    async def script(peer: Peer) -> None:
        while True:
            requests.append(await peer.read_request())
            peer.send(b"HTTP/1.1 307 Go\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n")

    async with connect_client(kind, script) as (client, _):
        with pytest.raises(Exception, match="status 307"):
            await client.item("A")
    assert len(requests) == 1


async def test_an_unreachable_service_is_named_with_its_address(kind: Kind) -> None:
    async with open_example_client(kind, "http://127.0.0.1:1") as client:
        with pytest.raises(UpstreamUnavailable) as failed:
            await client.item("A")
    reason = ": 127.0.0.1:1 Connection refused" if kind == "lockgate" else ": Connection refused"
    assert failed.value.detail == f"ConnectError{reason}"


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (JSON + b"Content-Length: 11, 12\r\n\r\n", "Invalid character in Content-Length"),
        (JSON + b"X-Long: " + b"a" * 1_000_000, "the head is larger than 65536 bytes"),
        (b"SSH-2.0-OpenSSH\r\n", "the response does not start with a status line"),
        (JSON + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n", "Invalid character in chunk size"),
    ],
)
async def test_the_reason_why_a_response_is_malformed_is_given(
    kind: Kind, response: bytes, reason: str
) -> None:
    async with connect_client(kind, respond_and_close(response)) as (client, _):
        with pytest.raises(UpstreamUnavailable) as failed:
            await client.item("A")
    if kind == "lockgate":
        assert failed.value.detail == f"RemoteProtocolError: {reason}"
    else:  # most messages of httpx may quote the response
        assert failed.value.detail in {"RemoteProtocolError", _SILENT}


async def _reset(peer: Peer) -> None:
    await peer.read_request()
    peer.reset()


async def _reset_within_the_body(peer: Peer) -> None:
    await peer.read_request()
    peer.send(ITEM[:-3])
    await asyncio.sleep(0.05)
    peer.reset()


_CHUNK = JSON + b"Transfer-Encoding: chunked\r\n\r\n5\r\n" + BODY[:3]
_PLAIN = "; if the port speaks TLS, the url must begin with https://"
_CLOSED = "RemoteProtocolError: the server closed the connection"
_SILENT = "RemoteProtocolError: Server disconnected without sending a response"
_CUT_OFF = "RemoteProtocolError: peer closed connection without sending complete message body"
_RESET = "ReadError: Connection reset by peer"


@pytest.mark.parametrize(
    ("script", "ours", "httpx_detail"),
    [
        (respond_and_close(b""), f"{_CLOSED} before the response{_PLAIN}", _SILENT),
        (respond_and_close(OK), f"{_CLOSED} within the head of the response", _SILENT),
        (respond_and_close(ITEM[:-3]), f"{_CLOSED} within the body of the response", _CUT_OFF),
        (respond_and_close(_CHUNK), f"{_CLOSED} within the body of the response", _CUT_OFF),
        (_reset, f"{_RESET} before the response{_PLAIN}", _RESET),
        (_reset_within_the_body, f"{_RESET} within the body of the response", _RESET),
        (
            respond_and_close(b"\x15\x03\x01\x00\x02\x02\x46"),
            "RemoteProtocolError: the port speaks TLS: the url must begin with https://",
            "RemoteProtocolError",
        ),
    ],
)
async def test_the_reason_why_a_connection_ended_is_given(
    kind: Kind, script: Script, ours: str, httpx_detail: str
) -> None:
    async with connect_client(kind, script) as (client, _):
        with pytest.raises(UpstreamUnavailable) as failed:
            await client.item("A")
    if kind == "lockgate":
        assert failed.value.detail == ours
    else:
        assert failed.value.detail.startswith(httpx_detail)
