"""The streams of one caller: event streams, long bodies and WebSockets, and their count."""

import logging
import random
import weakref
from collections import Counter
from typing import Any

import pytest
from starlette.requests import HTTPConnection
from starlette.types import Scope

from gateway.auth.dependencies import set_principal
from gateway.errors.tree import Overloaded, TooManyStreams
from gateway.proxy.stream_limit import Stream, StreamLimit
from gateway.request_context import RequestContext
from gateway.settings.schema import Server
from tests.gateway.identity.callers import make_caller
from tests.gateway.proxy.serve_proxy import Caller, ServedProxy, serve_proxy, wait_until
from tests.gateway.proxy.test_proxied_stream import CHUNK, EVENTS, LONG, Streaming
from tests.gateway.proxy.websocket.open_tunnel import echo, open_tunnels
from tests.gateway.transport.scripted_server import Peer

LOCAL: dict[str, Any] = {"trusted_proxies": ["127.0.0.0/8"]}


async def get(proxy: ServedProxy, address: str, method: str = "GET") -> tuple[Caller, bytes]:
    """Send a request of the client at this address; return the head of the response."""
    caller = await proxy.connect()
    caller.get("/service/x", b"X-Forwarded-For: " + address.encode(), method=method)
    return caller, await caller.read_head()


@pytest.mark.parametrize("head", [EVENTS, LONG])
async def test_one_caller_cannot_take_the_streams_of_others(
    no_leaks: None, head: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "lockgate.access")
    services: list[Streaming] = []

    async def script(peer: Peer) -> None:
        services.append(Streaming(head))
        services[-1].pieces.put_nowait(CHUNK)
        await services[-1](peer)

    server = LOCAL | {"max_streams": 4, "max_streams_per_caller": 2}
    async with serve_proxy(script, server=server) as proxy:
        first, _ = await get(proxy, "203.0.113.1")
        await get(proxy, "203.0.113.1")
        refused, response = await get(proxy, "203.0.113.1")
        assert response.startswith(b"HTTP/1.1 429 ")
        assert b"retry-after: 1\r\n" in response
        assert b"server.max_streams_per_caller" in await refused.read(200)
        for _ in range(2):
            _, response = await get(proxy, "2001:db8::1")
            assert response.startswith(b"HTTP/1.1 200 ")
        _, response = await get(proxy, "203.0.113.3")
        assert response.startswith(b"HTTP/1.1 503 ")
        assert repr(proxy.streams) == "<StreamLimit 4/4 of 2 callers>"
        first.writer.transport.abort()
        await wait_until(lambda: proxy.streams.count == 3)
        _, response = await get(proxy, "203.0.113.1")
        assert response.startswith(b"HTTP/1.1 200 ")
        for caller in proxy.callers:
            caller.writer.transport.abort()
        await wait_until(lambda: repr(proxy.streams) == "<StreamLimit 0/4 of 0 callers>")
    explanations = [vars(record)["fields"].get("explanation") for record in caplog.records]
    assert "server.max_streams_per_caller allows 2 streams" in explanations


async def test_a_request_that_was_carried_out_is_not_refused_for_its_caller(
    no_leaks: None,
) -> None:
    async def script(peer: Peer) -> None:
        service = Streaming(EVENTS)
        service.pieces.put_nowait(CHUNK)
        await service(peer)

    async with serve_proxy(script, server={"max_streams_per_caller": 1}) as proxy:
        await get(proxy, "203.0.113.1")  # a peer that is not trusted is the caller itself
        _, response = await get(proxy, "203.0.113.2", "POST")
        assert response.startswith(b"HTTP/1.1 200 ")
        assert (proxy.streams.count, proxy.in_flight) == (1, 1)


async def test_the_websockets_of_one_caller_are_bounded(no_leaks: None) -> None:
    async with open_tunnels(echo, server={"max_streams_per_caller": 1}) as served:
        only = await served.connect()
        refused = await served.open_raw()
        assert (await refused.read_head()).startswith(b"HTTP/1.1 429 ")
        refused.writer.close()
        await only.close()
        await served.wait_for_end()
        async with served.connect() as again:
            await again.send("hi")
            assert await again.recv() == "hi"


def make_request(issuer: str = "", subject: str = "", address: str = "") -> HTTPConnection:
    """Make the request of a caller with a token, or of a client at this address."""
    scope: Scope = {"type": "http", "headers": [], "client": (address, 1) if address else None}
    connection = HTTPConnection(scope)
    if issuer:
        set_principal(connection, make_caller(issuer=issuer, subject=subject))
    return connection


def test_a_caller_is_the_subject_of_an_issuer_or_else_an_address() -> None:
    callers = [
        {"issuer": "https://a.test", "subject": "42"},
        {"issuer": "https://b.test", "subject": "42"},
        {"issuer": "https://a.test", "subject": "43"},
        {"address": "203.0.113.1"},
        {"address": "2001:db8:0:1::1"},
        {"address": "2001:db8:0:2::1"},
        {},
    ]
    limit = StreamLimit(Server(max_streams_per_caller=1))
    for caller in callers:
        Stream(limit, make_request(**caller)).open()
    same = {"address": "2001:db8:0:1::2"}  # an IPv6 subscriber has a /64
    for caller in [*callers, same]:
        stream = Stream(limit, make_request(**caller))
        assert not stream.has_place
        with pytest.raises(TooManyStreams):
            stream.open()
    assert limit.count == len(callers)


@pytest.mark.parametrize("seed", range(20))
def test_the_counts_are_those_of_a_plain_list(seed: int) -> None:
    choose = random.Random(seed)
    limit = StreamLimit(Server(max_streams=8, max_streams_per_caller=3))
    held: list[tuple[str, Stream]] = []
    for _ in range(200):
        if held and choose.random() < 0.4:
            held.pop(choose.randrange(len(held)))[1].close()
            continue
        subject = choose.choice("abcde")
        stream = Stream(limit, make_request("https://a.test", subject))
        has_three = Counter(name for name, _ in held)[subject] >= 3
        assert stream.has_place == (not has_three and len(held) < 8)
        if stream.has_place:
            stream.open()
            held.append((subject, stream))
        else:
            with pytest.raises(TooManyStreams if has_three else Overloaded):
                stream.open()
        assert limit.count == len(held)
        assert f"of {len({name for name, _ in held})} callers" in repr(limit)
    for _, stream in held:
        stream.close()
        stream.close()
    assert repr(limit) == "<StreamLimit 0/8 of 0 callers>"


def test_a_request_leaves_the_limit_of_requests_in_flight_once() -> None:
    class Admission:
        released = 0

        def release(self) -> None:
            self.released += 1

    connection, admission = make_request(address="203.0.113.1"), Admission()
    RequestContext.of(connection.scope).admission = admission
    stream = Stream(StreamLimit(Server()), connection)
    stream.open()
    stream.open()
    assert admission.released == 1


def test_a_closed_stream_keeps_no_exchange_alive() -> None:
    class Exchange:
        def detach(self) -> None:
            pass

    stream = Stream(StreamLimit(Server()), make_request(address="203.0.113.1"))
    exchange = Exchange()
    stream.follow(exchange.detach)
    reference = weakref.ref(exchange)
    del exchange
    assert reference() is not None
    stream.close()
    assert reference() is None
