"""Handshakes of WebSockets: which go on to the service, and what of its response comes back."""

import asyncio
import json
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection

from gateway.auth.verifier import TokenVerifier
from gateway.proxy.websocket.service_handshake import MAX_REFUSAL_BYTES
from gateway.telemetry.log import LogEvent
from gateway.transport.timeouts import RequestTimeouts
from tests.gateway.auth.fake_verifier import FakeVerifier
from tests.gateway.proxy.websocket.open_tunnel import (
    ACCEPTED,
    HANDSHAKE,
    PROXY,
    RawSide,
    ServedTunnels,
    echo,
    open_raw_tunnels,
    open_tunnels,
)

KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
VERSION = b"Sec-WebSocket-Version: 13\r\n"


@dataclass
class Responder:
    """A service that responds to each handshake with `response`, and closes."""

    response: bytes = ACCEPTED
    heads: list[bytes] = field(default_factory=list)

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(self.response)
        await writer.drain()
        writer.close()


async def request(served: ServedTunnels, handshake: bytes) -> tuple[bytes, bytes]:
    """Send a handshake, and return head and body of the response that refuses it."""
    side = await served.open_raw(handshake)
    head = await side.read_head()
    body = await side.read_to_the_end()
    side.writer.close()
    return head, body


WRONG_HANDSHAKES = [
    (HANDSHAKE.replace(VERSION, b""), 426),
    (HANDSHAKE.replace(VERSION, b"Sec-WebSocket-Version: 8\r\n"), 426),
    (HANDSHAKE.replace(VERSION, VERSION * 2), 426),
    (HANDSHAKE.replace(KEY, b""), 400),
    (HANDSHAKE.replace(KEY, KEY * 2), 400),
    (HANDSHAKE.replace(KEY, b"Sec-WebSocket-Key: c2hvcnQ=\r\n"), 400),
    (HANDSHAKE.replace(KEY, b"Sec-WebSocket-Key: !!!!!!!!!!!!!!!!!!!!!!==\r\n"), 400),
    (HANDSHAKE.replace(b"Connection: Upgrade", b"Connection: Upgrade, Origin"), 400),
    (HANDSHAKE.replace(b"/chat", b"/a%2Fb"), 400),
]


async def test_a_wrong_handshake_is_refused_before_the_service_gets_it(no_leaks: None) -> None:
    service = Responder()
    async with open_raw_tunnels(service) as served:
        for handshake, status in WRONG_HANDSHAKES:
            head, body = await request(served, handshake)
            assert head.startswith(b"HTTP/1.1 %d " % status), handshake
            assert b"connection: close" in head
            if status == 426:
                assert b"sec-websocket-version: 13\r\n" in head
                assert b"upgrade: websocket\r\n" in head
            assert json.loads(body)["status"] == status
        assert service.heads == []
        await served.wait_for_end()


async def test_a_route_without_websocket_refuses_handshakes(no_leaks: None) -> None:
    async with open_raw_tunnels(Responder(), websocket=False) as served:
        head, body = await request(served, HANDSHAKE)
        assert head.startswith(b"HTTP/1.1 403 ")
        assert json.loads(body)["detail"] == "This route accepts no WebSocket connections."


CORS = {"cors_origins": ["https://app.example", "https://*.wild.example"]}
PROXIED = {"trusted_proxies": ["127.0.0.0/8"]}
FORWARDED = b"X-Forwarded-Proto: https\r\nX-Forwarded-Host: www.example\r\n"


@pytest.mark.parametrize(
    ("server", "statuses"),
    [
        (
            {},
            {
                b"": 101,
                b"Origin: http://gateway\r\n": 101,
                b"Origin: HTTP://GATEWAY:80\r\n": 101,
                b"Origin: https://gateway\r\n": 403,
                b"Origin: http://gateway:81\r\n": 403,
                b"Origin: http://evil.example\r\n": 403,
                b"Origin: http://gateway.evil.example\r\n": 403,
                b"Origin: null\r\n": 403,
                b"Origin: \r\n": 403,
                b"Origin: http://gateway\r\nOrigin: http://evil.example\r\n": 403,
                b"Origin: https://www.example\r\n" + FORWARDED: 403,
            },
        ),
        (
            CORS,
            {
                b"Origin: http://gateway\r\n": 101,
                b"Origin: https://app.example\r\n": 101,
                b"Origin: https://a.wild.example\r\n": 101,
                b"Origin: https://evil.example\r\n": 403,
            },
        ),
        (
            PROXIED,
            {
                b"Origin: https://www.example\r\n" + FORWARDED: 101,
                b"Origin: http://www.example\r\n" + FORWARDED: 403,
                b"Origin: http://gateway\r\n" + FORWARDED: 403,
            },
        ),
    ],
    ids=["by itself", "cors", "proxied"],
)
async def test_only_pages_of_the_gateway_and_of_cors_origins_open_a_websocket(
    no_leaks: None, server: dict[str, object], statuses: dict[bytes, int]
) -> None:
    async with open_raw_tunnels(Responder(), server=server) as served:
        for fields, status in statuses.items():
            side = await served.open_raw(HANDSHAKE[:-2] + fields + b"\r\n")
            assert (await side.read_head()).startswith(b"HTTP/1.1 %d " % status), fields
            side.writer.close()


@pytest.mark.parametrize(
    ("fields", "hint"),
    [
        (b"Origin: https://www.example:8443\r\n" + FORWARDED, "must send Host with the port"),
        (b"Origin: http://www.example\r\n" + FORWARDED, "must send X-Forwarded-Proto"),
        (b"Origin: https://[\r\n" + FORWARDED, "must send X-Forwarded-Proto"),
    ],
)
async def test_the_log_says_what_the_proxy_in_front_must_send(
    no_leaks: None, caplog: pytest.LogCaptureFixture, fields: bytes, hint: str
) -> None:
    caplog.set_level("INFO", logger="lockgate.access")
    async with open_raw_tunnels(Responder(), server=PROXIED) as served:
        head, _ = await request(served, HANDSHAKE[:-2] + fields + b"\r\n")
        assert head.startswith(b"HTTP/1.1 403 ")
    [line] = [it.fields for it in caplog.records if isinstance(it, LogEvent)]
    assert hint in str(line["explanation"])
    assert line["service"] == "service"


async def test_no_page_is_of_a_gateway_without_a_host(no_leaks: None) -> None:
    handshake = HANDSHAKE.replace(b"Host: gateway", b"Host:")
    async with open_raw_tunnels(Responder()) as served:
        head, _ = await request(served, handshake[:-2] + b"Origin: http://\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 403 ")


async def test_the_service_gets_the_handshake_of_the_gateway(no_leaks: None) -> None:
    upstream = Responder()
    async with open_raw_tunnels(upstream, service={"headers": {"X-Key": "secret"}}) as served:
        fields = b"Sec-WebSocket-Protocol: a, b\r\nX-User-Id: forged\r\nCookie: c=d\r\nX-A: b\r\n"
        handshake = HANDSHAKE.replace(b"/chat", b"/chat?room=1") + b""
        side = await served.open_raw(handshake[:-2] + fields + b"\r\n")
        await side.read_head()
        side.writer.close()
        await served.wait_for_end()
    [head] = upstream.heads
    lines = head.lower().split(b"\r\n")
    assert lines[0] == b"get /chat?room=1 http/1.1"
    for line in (
        b"connection: upgrade",
        b"upgrade: websocket",
        b"sec-websocket-version: 13",
        b"sec-websocket-key: dghlihnhbxbszsbub25jzq==",
        b"sec-websocket-protocol: a, b",
        b"x-key: secret",
        b"x-a: b",
        b"x-forwarded-host: gateway",
    ):
        assert lines.count(line) == 1
    assert b"x-user-id" not in head.lower()
    assert b"cookie" not in head.lower()


async def test_the_fields_of_the_route_are_in_both_handshakes(no_leaks: None) -> None:
    upstream = Responder(ACCEPTED.replace(b"\r\n\r\n", b"\r\nX-Backend: 7\r\n\r\n"))
    options: dict[str, Any] = {
        "set_headers": {"X-Tenant": "acme"},
        "set_response_headers": {"X-Team": "a"},
        "remove_response_headers": ["x-backend"],
    }
    async with open_raw_tunnels(upstream, **options) as served:
        side = await served.open_raw(HANDSHAKE[:-2] + b"X-Tenant: other\r\n\r\n")
        accepted = await side.read_head()
        side.writer.close()
        await served.wait_for_end()
    [head] = upstream.heads
    assert [line for line in head.split(b"\r\n") if b"tenant" in line] == [b"x-tenant: acme"]
    assert accepted.startswith(b"HTTP/1.1 101 ")
    assert b"\r\nx-team: a\r\n" in accepted
    assert b"x-backend" not in accepted


UNASKED = [
    (b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", b"s3pPLMBiTxaQ9kYGzzhZRbK+xOp="),
    (b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n", b""),
    (b"Upgrade: websocket\r\n", b""),
    (b"Upgrade: websocket", b"Upgrade: h2c"),
    (b"Connection: Upgrade", b"Connection: keep-alive"),
    (b"\r\n\r\n", b"\r\nSec-WebSocket-Protocol: c\r\n\r\n"),
    (b"\r\n\r\n", b"\r\nSec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: a\r\n\r\n"),
    (b"\r\n\r\n", b"\r\nSec-WebSocket-Extensions: bzip2\r\n\r\n"),
]


async def test_a_101_that_was_not_asked_for_is_a_502(no_leaks: None) -> None:
    offers = b"Sec-WebSocket-Protocol: a, b\r\nSec-WebSocket-Extensions: permessage-deflate\r\n"
    service = Responder()
    async with open_raw_tunnels(service) as served:
        for old, new in UNASKED:
            service.response = ACCEPTED.replace(old, new)
            head, body = await request(served, HANDSHAKE[:-2] + offers + b"\r\n")
            assert head.startswith(b"HTTP/1.1 502 "), new
            assert json.loads(body)["service"] == "service"
        await served.wait_for_end()


async def test_the_chosen_subprotocol_reaches_the_caller(no_leaks: None) -> None:
    options: dict[str, Any] = {"subprotocols": ["chat.v2", "chat.v1"]}
    async with open_tunnels(echo, options=options) as served, served.connect(**options) as client:
        assert client.subprotocol == "chat.v2"
        assert client.response is not None
        assert "x-request-id" in client.response.headers


LONG = b"x" * (MAX_REFUSAL_BYTES + 1)


RESPONSES = [
    (b"HTTP/1.1 401 No\r\nContent-Length: 5\r\n\r\nlogin", 401, b"login"),
    (b"HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n", 403, b"no"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, b"ok"),
    (
        b"HTTP/1.1 103 Hints\r\nA: b\r\n\r\nHTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n",
        404,
        b"",
    ),
    (b"HTTP/1.1 426 No\r\n\r\nuntil the end", 426, b"until the end"),
    (b"HTTP/1.1 403 No\r\n\r\n" + LONG, 502, None),
    (b"HTTP/1.1 404 No\r\nContent-Length: %d\r\n\r\n" % len(LONG) + LONG, 502, None),
    (b"HTTP/1.1 403 No\r\nContent-Length: 9\r\n\r\ncut", 503, None),
    (b"rubbish", 502, None),
    (b"", 503, None),
]


async def test_any_other_response_of_the_service_is_passed_on_or_an_error(no_leaks: None) -> None:
    service = Responder()
    async with open_raw_tunnels(service) as served:
        for response, status, expected in RESPONSES:
            service.response = response
            head, body = await request(served, HANDSHAKE)
            assert head.startswith(b"HTTP/1.1 %d " % status), response[:60]
            if expected is None:
                assert json.loads(body)["status"] == status
            else:
                assert expected in body
        await served.wait_for_end()


async def test_a_service_that_does_not_respond_is_a_504(no_leaks: None) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with open_raw_tunnels(script, timeout=0.1) as served:
        head, _ = await request(served, HANDSHAKE)
        assert head.startswith(b"HTTP/1.1 504 ")
        await served.wait_for_end()


async def test_a_websocket_is_a_stream_and_takes_no_place_in_the_pool(no_leaks: None) -> None:
    handshakes = 0

    async def count(connection: ServerConnection) -> None:
        nonlocal handshakes
        handshakes += 1
        await echo(connection)

    server = {"max_streams": 2, "max_streams_per_caller": 2, "max_in_flight": 1}
    async with open_tunnels(count, server=server, service={"max_connections": 1}) as served:
        pooled = await served.pool.acquire(RequestTimeouts(), force_new=False)
        first, second = await served.connect(), await served.connect()
        assert served.streams.count == 2
        assert repr(served.pool) == "<Pool size=1/1 idle=0 waiting=0>"
        assert pooled.is_open
        served.pool.release(pooled)
        head, _ = await request(served, HANDSHAKE)
        assert head.startswith(b"HTTP/1.1 429 ")
        assert b"retry-after: 1\r\n" in head
        assert handshakes == 2
        await first.close()
        await second.close()
        await served.wait_for_end()
        async with served.connect() as third:
            await third.send("again")
            assert await third.recv() == "again"


async def test_no_websocket_is_closed_to_make_room_for_a_connection(no_leaks: None) -> None:
    get = b"GET /healthz HTTP/1.1\r\nHost: gateway\r\n\r\n"
    async with open_tunnels(echo, server={"max_connections": 2}) as served:
        oldest = await served.connect()
        idle = await served.open_raw(get)
        assert (await idle.read_head()).startswith(b"HTTP/1.1 200 ")
        newest = await served.connect()
        await idle.read_to_the_end()
        probe = await served.open_raw(get)
        assert (await probe.read_head()).startswith(b"HTTP/1.1 200 ")
        head, _ = await request(served, HANDSHAKE)
        assert head.startswith(b"HTTP/1.1 503 ")
        for client in (oldest, newest):
            await client.send("still here")
            assert await client.recv() == "still here"
            await client.close()


async def test_the_guards_of_the_route_decide_before_the_service(no_leaks: None) -> None:
    upstream = Responder()
    proxy = replace(PROXY, public=None, requires="dashboard:read", path="/service/{path:path}")
    async with open_raw_tunnels(upstream, proxies=[proxy]) as served:
        served.app.state.resources[TokenVerifier] = FakeVerifier()
        for token, status in {
            b"": 401,
            b"bad": 401,
            b"u1-other": 403,
            b"u1-dashboard_read": 101,
        }.items():
            line = b"Authorization: Bearer %b\r\n" % token if token else b""
            side: RawSide = await served.open_raw(HANDSHAKE[:-2] + line + b"\r\n")
            assert (await side.read_head()).startswith(b"HTTP/1.1 %d " % status)
            side.writer.close()
        await served.wait_for_end()
    assert len(upstream.heads) == 1


async def test_another_transport_has_no_websockets(no_leaks: None) -> None:
    async with open_raw_tunnels(Responder(), service={"transport": "httpx"}) as served:
        head, body = await request(served, HANDSHAKE)
        assert head.startswith(b"HTTP/1.1 501 ")
        assert "transport" in json.loads(body)["detail"]


async def test_an_ordinary_request_to_the_route_is_forwarded_as_any_other(
    no_leaks: None,
) -> None:
    upstream = Responder(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    async with open_raw_tunnels(upstream) as served:
        head, body = await request(
            served, b"GET /service/x HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n"
        )
        assert head.startswith(b"HTTP/1.1 200 OK")
        assert body == b"ok"
    assert b"upgrade" not in upstream.heads[0].lower()
