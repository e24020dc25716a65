"""The end of a stream with the token of its caller, and with the gateway itself."""

import asyncio
import logging
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.proxy import forwarding
from gateway.settings.schema import Issuer
from tests.gateway.auth.token_factory import (
    AUDIENCE,
    ISSUER,
    encode_jwk_set,
    get_signing_key,
    make_token,
)
from tests.gateway.proxy.serve_proxy import PROXY, Caller, ServedProxy, serve_proxy, wait_until
from tests.gateway.transport.scripted_server import OK, Peer, Script

SCOPE = "service:read"
PROTECTED = replace(PROXY, public=None, requires=SCOPE)
CHUNK = b"9\r\ndata: 1\n\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
EVENTS = OK + b"Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
LONG = OK + b"Content-Length: 1000000\r\n\r\n"


def stream(head: bytes, *, pause: float | None = None, reads_request: bool = True) -> Script:
    """Make a script that sends a head and a chunk, and ends after a pause, if there is one."""

    async def script(peer: Peer) -> None:
        if reads_request:
            await peer.read_request()
        peer.send(head)
        await asyncio.sleep(0.01)
        peer.send(CHUNK)
        if pause is not None:
            await asyncio.sleep(pause)
            peer.send(LAST_CHUNK)
        await peer.wait_closed()

    return script


def trust(folder: Path, *, skew: float) -> Issuer:
    """Return the issuer of `make_token`."""
    key_set = folder / "jwks.json"
    key_set.write_bytes(encode_jwk_set(get_signing_key("ES256").jwk()))
    return Issuer(issuer=ISSUER, audience=AUDIENCE, jwks_file=key_set, clock_skew_seconds=skew)


async def begin(proxy: ServedProxy, *lines: bytes) -> Caller:
    """Read the head of a response and its first chunk."""
    caller = await proxy.connect()
    caller.get("/service/x", *lines)
    assert (await caller.read_head()).startswith(b"HTTP/1.1 200 ")
    return caller


def authorize(lifetime: float) -> bytes:
    """Build the field with a token that expires in so many seconds."""
    claims = {"sub": "42", "scope": SCOPE, "exp": time.time() + lifetime}
    return b"Authorization: Bearer " + make_token(claims, key=get_signing_key("ES256")).encode()


@pytest.mark.parametrize("head", [EVENTS, CHUNKED], ids=["events", "chunked"])
async def test_an_expired_token_ends_a_stream_of_unknown_length(
    no_leaks: None, tmp_path: Path, caplog: pytest.LogCaptureFixture, head: bytes
) -> None:
    caplog.set_level(logging.INFO, "lockgate.access")
    issuers, proxied = [trust(tmp_path, skew=0)], replace(PROTECTED, timeout=60)
    async with serve_proxy(stream(head), proxied, issuers=issuers) as proxy:
        caller = await begin(proxy, authorize(0.5))
        assert await caller.read(len(CHUNK)) == CHUNK
        if head is EVENTS:
            assert await caller.read(len(LAST_CHUNK)) == LAST_CHUNK
            caller.get("/service/x", authorize(-1))  # the connection goes on, the rights do not
            assert (await caller.read_head()).startswith(b"HTTP/1.1 401 ")
        else:
            assert await caller.read_to_the_end() == b""
        await wait_until(lambda: proxy.streams.count == proxy.in_flight == 0)
    [line, *_] = [vars(it)["fields"] for it in caplog.records if it.name == "lockgate.access"]
    assert (line["status"], line["error"]) == (200, "the token of the caller has expired")


@pytest.mark.parametrize("head", [EVENTS, CHUNKED], ids=["events", "chunked"])
async def test_a_stream_outlives_the_token_if_its_route_says_so(
    no_leaks: None, tmp_path: Path, head: bytes
) -> None:
    issuers, proxied = [trust(tmp_path, skew=0)], replace(PROTECTED, outlive_token=True)
    async with serve_proxy(stream(head, pause=0.8), proxied, issuers=issuers) as proxy:
        caller = await begin(proxy, authorize(0.5))
        assert await caller.read(len(CHUNK + LAST_CHUNK)) == CHUNK + LAST_CHUNK


async def test_a_response_with_a_length_outlives_the_token(no_leaks: None, tmp_path: Path) -> None:
    async def script(peer: Peer) -> None:
        await peer.read_request()
        peer.send(LONG)
        for _ in range(10):
            peer.send(bytes(100_000))
            await asyncio.sleep(0.08)

    async with serve_proxy(script, PROTECTED, issuers=[trust(tmp_path, skew=0)]) as proxy:
        caller = await begin(proxy, authorize(0.5))
        assert await caller.read(1_000_000) == bytes(1_000_000)


@pytest.mark.parametrize("transport", ["lockgate", "httpx"])
async def test_an_upload_and_the_response_to_it_outlive_the_token(
    no_leaks: None, tmp_path: Path, transport: str
) -> None:
    async def script(peer: Peer) -> None:
        received.append(await peer.read_request())
        await stream(CHUNKED, pause=0.1, reads_request=False)(peer)

    received: list[bytes] = []
    issuers, service = [trust(tmp_path, skew=0)], {"transport": transport}
    async with serve_proxy(script, PROTECTED, issuers=issuers, service=service) as proxy:
        caller = await proxy.connect()
        caller.get("/service/x", authorize(0.5), b"Transfer-Encoding: chunked", method="PUT")
        for _ in range(8):
            caller.send(CHUNK)
            await asyncio.sleep(0.08)
        caller.send(LAST_CHUNK)
        assert (await caller.read_head()).startswith(b"HTTP/1.1 200 ")
        assert await caller.read(len(CHUNK + LAST_CHUNK)) == CHUNK + LAST_CHUNK
    assert received[0].endswith(CHUNK + LAST_CHUNK)


async def test_events_that_begin_after_the_token_has_expired_have_a_grace(
    no_leaks: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forwarding, "GRACE_SECONDS", 0.2)

    async def script(peer: Peer) -> None:
        await asyncio.sleep(0.6)
        await stream(EVENTS)(peer)

    issuers, proxied = [trust(tmp_path, skew=0)], replace(PROTECTED, timeout=60)
    async with serve_proxy(script, proxied, issuers=issuers) as proxy:
        caller = await begin(proxy, authorize(0.5))
        assert await caller.read(len(CHUNK + LAST_CHUNK)) == CHUNK + LAST_CHUNK


async def test_a_token_within_the_clock_skew_breaks_no_response(
    no_leaks: None, tmp_path: Path
) -> None:
    issuers = [trust(tmp_path, skew=60)]
    async with serve_proxy(stream(CHUNKED, pause=0.05), PROTECTED, issuers=issuers) as proxy:
        caller = await begin(proxy, authorize(-1))
        assert await caller.read(len(CHUNK + LAST_CHUNK)) == CHUNK + LAST_CHUNK


async def test_a_shutdown_ends_events_between_two_and_cuts_a_long_body_in_time(
    no_leaks: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    heads = [EVENTS, LONG]
    ended: list[str] = []

    async def script(peer: Peer) -> None:
        await stream(heads.pop(0))(peer)

    async def read_rest(caller: Caller, name: str) -> bytes:
        rest = b""
        with suppress(ConnectionError):
            rest = await caller.read_to_the_end()
        ended.append(name)
        return rest

    async with serve_proxy(script) as proxy:
        monkeypatch.setattr(proxy.server, "_shutdown_seconds", 0.3)
        events, body = await begin(proxy), await begin(proxy)
        for caller in (events, body):
            assert await caller.read(len(CHUNK)) == CHUNK
        rests = [
            asyncio.create_task(read_rest(events, "events")),
            asyncio.create_task(read_rest(body, "body")),
        ]
        proxy.callers.clear()  # they see the server stop
    assert await asyncio.gather(*rests) == [LAST_CHUNK, b""]
    assert ended == ["events", "body"]
    assert proxy.streams.count == 0
    truncated = [
        vars(record)["fields"]
        for record in caplog.records
        if record.getMessage().startswith("proxy.response_truncated ")
    ]
    assert [fields["reason"] for fields in truncated] == ["the gateway stops"]
    for caller in (events, body):
        caller.writer.transport.abort()
