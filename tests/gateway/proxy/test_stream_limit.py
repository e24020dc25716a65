"""The streams of one caller: event streams, long bodies and WebSockets, and their count."""

import logging
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import HTTPConnection
from starlette.types import Scope

from gateway.auth.dependencies import set_principal
from gateway.errors.tree import Overloaded, TooManyStreams
from gateway.proxy import stream_limit
from gateway.proxy.stream_limit import MAX_EXCESS, Stream, StreamLimit
from gateway.request_context import RequestContext
from gateway.settings.schema import Server
from tests.gateway.identity.callers import make_caller
from tests.gateway.proxy.serve_proxy import Caller, ServedProxy, serve_proxy, wait_until
from tests.gateway.proxy.test_proxied_stream import CHUNK, CHUNKED, EVENTS, LONG, Streaming
from tests.gateway.proxy.websocket.open_tunnel import echo, open_tunnels
from tests.gateway.transport.scripted_server import HELLO, Peer, respond_with

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
    assert "server.max_streams allows 4 streams" in explanations


def test_a_caller_may_have_a_tenth_of_all_streams_by_default() -> None:
    assert [Server(max_streams=count).streams_per_caller for count in (1000, 55, 9)] == [100, 5, 1]
    assert Server(max_streams=5, max_streams_per_caller=5).streams_per_caller == 5


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
        assert (proxy.streams.count, proxy.streams.excess, proxy.in_flight) == (1, 1, 0)


CHUNKED_UPLOAD = (
    b"POST /service/x HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.1\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"
)


async def begin_long(proxy: ServedProxy, kind: str) -> None:
    """Begin an exchange whose length is unknown."""
    if kind == "upload":
        caller = await proxy.connect()
        caller.send(CHUNKED_UPLOAD)
        return
    method = "GET" if kind == "body" else "POST"
    _, response = await get(proxy, "203.0.113.1", method)
    assert response.startswith(b"HTTP/1.1 200 ")


class LongService:
    """A service whose exchanges do not end."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.received = 0

    async def __call__(self, peer: Peer) -> None:
        self.received += 1
        if self.kind == "upload":
            await peer.wait_closed()
            return
        service = Streaming(CHUNKED if self.kind == "body" else EVENTS)
        service.pieces.put_nowait(CHUNK)
        await service(peer)


@pytest.mark.parametrize("kind", ["body", "events of a POST", "upload"])
async def test_one_caller_cannot_take_the_connections_to_a_service(
    no_leaks: None, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(stream_limit, "LONG_SECONDS", 0.02)
    service, server = LongService(kind), LOCAL | {"max_streams_per_caller": 2}
    async with serve_proxy(service, server=server, service={"max_connections": 1}) as proxy:
        streams = proxy.streams
        for number in range(2 + MAX_EXCESS):
            await begin_long(proxy, kind)
            await wait_until(lambda: streams.count + streams.excess == number + 1)  # noqa: B023
        assert (streams.count, streams.excess) == (2, MAX_EXCESS)
        assert (proxy.in_flight, proxy.pool._size) == (0, 0)
        received = service.received
        _, response = await get(proxy, "203.0.113.1")
        assert response.startswith(b"HTTP/1.1 429 ")
        assert service.received == received, "the request has been sent"
        service.kind = "body"
        _, response = await get(proxy, "203.0.113.2")
        assert response.startswith(b"HTTP/1.1 200 ")
        proxy.callers[0].writer.transport.abort()
        await wait_until(lambda: streams.excess == MAX_EXCESS - 1)
        _, response = await get(proxy, "203.0.113.1")
        assert response.startswith(b"HTTP/1.1 200 ")
        for caller in proxy.callers:
            caller.writer.transport.abort()
        await wait_until(lambda: repr(streams) == "<StreamLimit 0/1000 of 0 callers>")


async def test_a_caller_with_all_its_streams_still_calls_the_service(no_leaks: None) -> None:
    heads = [EVENTS, EVENTS]

    async def script(peer: Peer) -> None:
        if heads:
            service = Streaming(heads.pop())
            service.pieces.put_nowait(CHUNK)
            await service(peer)
        else:
            await respond_with(*[HELLO] * (MAX_EXCESS + 1))(peer)

    server = LOCAL | {"max_streams_per_caller": 2}
    async with serve_proxy(script, server=server) as proxy:
        for _ in range(2):
            await get(proxy, "203.0.113.1")
        for _ in range(MAX_EXCESS + 1):
            _, response = await get(proxy, "203.0.113.1")
            assert response.startswith(b"HTTP/1.1 200 ")


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
        with pytest.raises(TooManyStreams):
            stream.open()
    assert limit.count == len(callers)


@dataclass
class Model:
    """A plain list of the callers with a place, and one of those without."""

    placed: list[str] = field(default_factory=list)
    excess: list[str] = field(default_factory=list)

    def is_full_for(self, name: str) -> bool:
        return self.placed.count(name) >= 3 or len(self.placed) >= 8

    def open_late(self, name: str) -> None:
        (self.excess if self.is_full_for(name) else self.placed).append(name)

    def close(self, name: str) -> None:
        (self.excess if name in self.excess else self.placed).remove(name)

    def is_refused(self, name: str) -> bool:
        while name in self.excess and not self.is_full_for(name):
            self.excess.remove(name)
            self.placed.append(name)
        return self.excess.count(name) >= MAX_EXCESS


STEPS = st.lists(
    st.tuples(st.sampled_from(["open", "late", "check", "close"]), st.sampled_from("abcde")),
    max_size=100,
)


class Pair:
    """A limit and its model, and the streams that are open."""

    def __init__(self) -> None:
        self.limit = StreamLimit(Server(max_streams=8, max_streams_per_caller=3))
        self.model = Model()
        self.held: dict[str, list[Stream]] = {name: [] for name in "abcde"}

    def apply(self, action: str, name: str) -> None:
        stream = Stream(self.limit, make_request("https://a.test", name))
        if action == "open":
            with self.expect_error(name, is_refused=self.model.is_full_for(name)):
                stream.open()
                self.model.placed.append(name)
        elif action == "late":
            stream.open_late()
            self.model.open_late(name)
        elif action == "check":
            with self.expect_error(name, is_refused=self.model.is_refused(name)):
                stream.check_excess()
        elif self.held[name]:
            self.held[name].pop(0).close()
            self.model.close(name)
        if stream.is_open:
            self.held[name].append(stream)

    def expect_error(self, name: str, *, is_refused: bool) -> AbstractContextManager[object]:
        has_too_many = self.model.placed.count(name) >= 3
        error = TooManyStreams if has_too_many else Overloaded
        return pytest.raises(error) if is_refused else nullcontext()


@settings(deadline=None)
@given(steps=STEPS)
def test_the_counts_are_those_of_plain_lists(steps: list[tuple[str, str]]) -> None:
    pair = Pair()
    limit, model = pair.limit, pair.model
    for action, name in steps:
        pair.apply(action, name)
        assert (limit.count, limit.excess) == (len(model.placed), len(model.excess))
        assert f"of {len(set(model.placed))} callers" in repr(limit)
        assert limit.count <= 8
    for stream in chain(*pair.held.values()):
        stream.close()
        stream.close()
    assert repr(limit) == "<StreamLimit 0/8 of 0 callers>"


def test_a_caller_is_refused_for_all_streams_if_these_take_its_places() -> None:
    limit = StreamLimit(Server(max_streams=1, max_streams_per_caller=1))
    only = Stream(limit, make_request(address="203.0.113.1"))
    only.open()
    streams = [Stream(limit, make_request(address="203.0.113.2")) for _ in range(MAX_EXCESS)]
    for stream in streams:
        stream.check_excess()
        stream.open_late()
    with pytest.raises(Overloaded):
        Stream(limit, make_request(address="203.0.113.2")).check_excess()
    Stream(limit, make_request(address="203.0.113.3")).check_excess()
    only.close()
    Stream(limit, make_request(address="203.0.113.2")).check_excess()
    assert (limit.count, limit.excess) == (1, MAX_EXCESS - 1)


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
