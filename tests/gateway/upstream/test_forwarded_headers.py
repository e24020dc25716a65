"""Header fields of a service from an attacker's side: sizes, control bytes, secrets, leaks."""

import asyncio
import logging
from collections.abc import Mapping, Sequence

import httpx
import pytest
from pydantic import ValidationError

from gateway.settings.errors import InvalidSettings
from gateway.settings.loader import load_settings
from gateway.settings.schema import Service
from gateway.transport.transport import Transport
from gateway.upstream import Call
from gateway.upstream.open_client import open_client
from gateway.upstream.propagation import (
    PropagatedHeaders,
    current_headers,
    propagate_headers,
    set_caller_token,
)
from gateway.upstream.service_headers import MAX_FORWARDED_BYTES, ServiceHeaders
from tests.gateway.transport.scripted_server import OK, Peer, serve_script
from tests.gateway.upstream.example_client import ExampleClient, Item

ITEM = OK + b"Content-Type: application/json\r\nContent-Length: 11\r\n\r\n" + b'{"sku":"A"}'
SECRET = "hunter2-0123456789"
Incoming = Sequence[tuple[bytes, bytes]]


async def request_sent(
    options: Mapping[str, object],
    incoming: Incoming,
    transport: httpx.AsyncBaseTransport | None = None,
) -> bytes:
    """The bytes of a call that is made for a request with these fields."""
    requests: list[bytes] = []

    async def script(peer: Peer) -> None:
        requests.append(await peer.read_request())
        peer.send(ITEM)
        await peer.wait_closed()

    async with serve_script(script) as server:
        service = Service.model_validate({"url": server.url, **options})
        async with open_client(ExampleClient, service, transport or Transport()) as shop:
            with propagate_headers({"x-request-id": "request-1", "traceparent": "t"}, incoming):
                await shop.get("/", into=Item)
    return requests[0]


@pytest.mark.parametrize(
    "value",
    [
        b"a\r\nx-evil: 1", b"a\nx-evil: 1", b"a\rx-evil: 1", b"a\x00", b"\x7f", b"caf\xe9",
        b"a\x0bx-evil: 1", b"a\x0cx-evil: 1", b"a\x1cx-evil: 1", b"a\x85x-evil: 1",
        "a\u2028x-evil: 1".encode(),
    ],
)  # fmt: skip
async def test_a_value_that_is_not_printable_ascii_is_not_forwarded(
    value: bytes, either: httpx.AsyncBaseTransport
) -> None:
    request = await request_sent({"forward_headers": ["x-a"]}, [(b"x-a", value)], either)
    assert b"evil" not in request
    assert b"x-a" not in request.lower()


@pytest.mark.parametrize(
    "incoming",
    [
        [(b"x-a", b"a" * (MAX_FORWARDED_BYTES + 1))],
        [(b"x-a", b"a" * 100)] * 1_000,
    ],
    ids=["one long value", "many values"],
)
async def test_what_is_forwarded_is_bounded(
    incoming: Incoming, either: httpx.AsyncBaseTransport
) -> None:
    """A field is forwarded whole or not at all: a list that is cut says something else."""
    incoming = [*incoming, (b"x-b", b"short")]
    request = await request_sent({"forward_headers": ["x-a", "x-b"]}, incoming, either)
    assert b"x-a: " not in request.lower()
    assert b"x-b: short" in request.lower()


async def test_many_fields_are_bounded_together() -> None:
    names = [f"x-{number}" for number in range(100)]
    incoming = [(name.encode(), b"a" * 1_000) for name in names]
    request = await request_sent({"forward_headers": names}, incoming)
    assert 0.8 * MAX_FORWARDED_BYTES < len(request) < MAX_FORWARDED_BYTES + 500


async def test_the_largest_value_is_forwarded() -> None:
    value = b"a" * (MAX_FORWARDED_BYTES - len(b"x-a"))
    request = await request_sent({"forward_headers": ["X-A"]}, [(b"x-a", value)])
    assert b"x-a: " + value in request


@pytest.mark.parametrize("name", ["X-Request-Id", "traceparent", "TraceState"])
@pytest.mark.parametrize("setting", ["headers", "forward_headers"])
def test_the_fields_of_the_gateway_cannot_be_replaced(name: str, setting: str) -> None:
    """Its request id is validated; what a client sent under that name may be anything."""
    value: object = {name: "1"} if setting == "headers" else [name]
    with pytest.raises(ValidationError, match="is set by the gateway itself"):
        Service.model_validate({"url": "http://x", setting: value})


@pytest.mark.parametrize("value", ["ü", "a\u0085x-evil: 1", "a\u2028b", "a\x1cb", "\x7f", "a\nb"])
def test_a_value_that_no_call_could_send_is_refused_by_the_settings(value: str) -> None:
    with pytest.raises(ValidationError, match="has characters that a header cannot have"):
        Service.model_validate({"url": "http://x", "headers": {"x-api-key": value}})
    with pytest.raises(ValueError, match="x-api-key"):
        ServiceHeaders(fixed={"x-api-key": value})


def test_a_name_in_two_spellings_is_refused() -> None:
    with pytest.raises(ValidationError, match="must not have x-key twice"):
        Service.model_validate({"url": "http://x", "headers": {"x-key": "1", "X-Key": "2"}})


def test_two_sources_of_authorization_are_refused() -> None:
    options = {"url": "http://x", "headers": {"Authorization": SECRET}, "forward_token": True}
    with pytest.raises(ValidationError, match="forward_token") as caught:
        Service.model_validate(options)
    assert SECRET not in caught.value.errors(include_input=False)[0]["msg"]


@pytest.mark.parametrize(
    "text",
    [
        f'{{"x-api-key": "{SECRET}"',  # no JSON
        f'["{SECRET}"]',
        f'"{SECRET}"',
        f'{{"x-api-key": ["{SECRET}"]}}',
        f'{{"x-api-key": "{SECRET}\\n"}}',
        f'{{"Authorization": "{SECRET}"}}',
    ],
)
def test_no_error_of_the_settings_shows_a_secret(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCKGATE_UPSTREAMS__SHOP__URL", "http://x")
    monkeypatch.setenv("LOCKGATE_UPSTREAMS__SHOP__FORWARD_TOKEN", "true")
    monkeypatch.setenv("LOCKGATE_UPSTREAMS__SHOP__HEADERS", text)
    with pytest.raises(InvalidSettings) as caught:
        load_settings()
    assert SECRET not in f"{caught.value!s} {caught.value!r} {caught.value.__cause__!r}"


async def test_what_a_policy_or_a_log_may_show_holds_no_secret(
    caplog: pytest.LogCaptureFixture,
) -> None:
    incoming = [(b"authorization", f"Bearer {SECRET}".encode()), (b"cookie", SECRET.encode())]
    with propagate_headers({"x-request-id": "r1"}, incoming):
        set_caller_token(SECRET)
        assert SECRET not in repr(current_headers())
        call = Call("POST", "/", {}, headers={"authorization": SECRET}, json={"password": SECRET})
    assert repr(call) == "<Call POST />"
    logging.getLogger("company").warning("retrying %s %r", call, call)
    assert SECRET not in caplog.text


def test_a_field_of_the_request_is_kept_with_its_request() -> None:
    """An inner block adds fields to those of the request, and has the same token."""
    with propagate_headers({"x-request-id": "r1"}, [(b"x-a", b"1")]):
        set_caller_token("t")
        with propagate_headers({"x-b": "2"}):
            inner: PropagatedHeaders = current_headers()
            assert (inner.token, list(inner.incoming)) == ("t", [(b"x-a", b"1")])


async def test_a_task_of_the_app_has_no_token() -> None:
    """Neither one that was started before the first request, nor a connection that is shared."""
    sent: list[str | None] = []

    async def script(peer: Peer) -> None:
        while True:
            request = (await peer.read_request()).lower()
            _, found, rest = request.partition(b"authorization: ")
            sent.append(rest.split(b"\r\n")[0].decode() if found else None)
            peer.send(ITEM)

    go, gone = asyncio.Event(), asyncio.Event()

    async def background(shop: ExampleClient) -> None:
        await go.wait()
        await shop.get("/", into=Item)
        gone.set()

    async def serve(shop: ExampleClient) -> None:
        with propagate_headers({"x-request-id": "r1"}):
            set_caller_token("mine")
            await shop.get("/", into=Item)
            go.set()
            await gone.wait()

    async with serve_script(script) as server:
        service = Service.model_validate({"url": server.url, "forward_token": True})
        async with open_client(ExampleClient, service) as shop:
            task = asyncio.create_task(background(shop))
            await asyncio.create_task(serve(shop))
            await task
            await shop.get("/", into=Item)
        assert server.connections == 1
    assert sent == ["bearer mine", None, None]
