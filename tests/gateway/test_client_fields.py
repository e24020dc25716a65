"""The address of the client towards services: by setting, and never from a field of the client."""

from collections.abc import Iterable
from typing import Any, Literal

import httpx
import pytest

from gateway.client_fields import ClientFields
from gateway.open_clients import open_clients
from gateway.resources import Resources
from gateway.settings.schema import Server, Service, Settings
from gateway.upstream.propagation import propagate_request
from tests.gateway.upstream.example_client import ExampleClient, Item

Form = Literal["x-forwarded-for", "forwarded"]
PROXIES = ["10.0.0.0/8", "2001:db8:1::/48"]
SPOOFED = [
    ("x-forwarded-for", "203.0.113.66"),
    ("x-forwarded-proto", "https"),
    ("x-forwarded-host", "evil.test"),
    ("x-real-ip", "203.0.113.66"),
]


def make_scope(
    client: str | None, headers: Iterable[tuple[str, str]], scheme: str = "http"
) -> dict[str, Any]:
    return {
        "type": "http",
        "scheme": scheme,
        "client": (client, 50_000) if client else None,
        "headers": [(name.encode(), value.encode()) for name, value in headers],
    }


def get_fields(form: Form, *scope: Any) -> dict[str, str]:
    server = Server.model_validate({"trusted_proxies": PROXIES})
    return ClientFields(form, server)(make_scope(*scope))


HOST = ("host", "shop.test:8080")


@pytest.mark.parametrize(
    ("client", "headers", "x_forwarded", "forwarded"),
    [
        (
            "192.0.2.7",
            [HOST, *SPOOFED],
            ("192.0.2.7", "http", "shop.test:8080"),
            'for=192.0.2.7;proto=http;host="shop.test:8080"',
        ),
        (
            "10.1.1.1",
            [
                HOST,
                ("x-forwarded-for", "203.0.113.66, 192.0.2.7"),
                ("x-forwarded-proto", "ftp, https"),
                ("x-forwarded-host", "evil.test, shop.example"),
            ],
            ("192.0.2.7", "https", "shop.example"),
            'for=192.0.2.7;proto=https;host="shop.example"',
        ),
        (
            "2001:db8:1::1",
            [HOST, ("x-forwarded-for", "2001:db8::7")],
            ("2001:db8::7", "http", "shop.test:8080"),
            'for="[2001:db8::7]";proto=http;host="shop.test:8080"',
        ),
        (
            "::ffff:10.1.1.1",
            [HOST, ("x-forwarded-for", "192.0.2.7"), ("x-forwarded-proto", "https")],
            ("192.0.2.7", "https", "shop.test:8080"),
            'for=192.0.2.7;proto=https;host="shop.test:8080"',
        ),
        (None, [("host", 'a";for=1.2.3.4')], ("", "http", ""), "for=unknown;proto=http"),
        (
            None,
            [("host", "[::1]:80")],
            ("", "http", "[::1]:80"),
            'for=unknown;proto=http;host="[::1]:80"',
        ),
    ],
)
def test_fields_come_from_trusted_hops_only(
    client: str | None,
    headers: list[tuple[str, str]],
    x_forwarded: tuple[str, str, str],
    forwarded: str,
) -> None:
    fields = get_fields("x-forwarded-for", client, headers)
    names = ("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host")
    assert tuple(fields.get(name, "") for name in names) == x_forwarded
    assert get_fields("forwarded", client, headers) == {"forwarded": forwarded}


def test_a_websocket_is_http() -> None:
    assert get_fields("forwarded", "192.0.2.7", [], "wss") == {
        "forwarded": "for=192.0.2.7;proto=https"
    }


async def get_sent(options: dict[str, Any]) -> httpx.Headers:
    """The header fields of a call for a request from 192.0.2.7, which has spoofed fields."""
    sent: list[httpx.Headers] = []

    def respond(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers)
        return httpx.Response(200, json={"sku": "A"})

    service = Service.model_validate({"url": "http://orders.internal", **options})
    settings, resources = Settings(upstreams={"orders": service}), Resources()
    transports = {"orders": httpx.MockTransport(respond)}
    async with open_clients(settings, {"orders": ExampleClient}, transports, resources):
        with propagate_request({"x-request-id": "r1"}, make_scope("192.0.2.7", SPOOFED)):
            assert await resources[ExampleClient].get("/", into=Item)
    return sent[0]


async def test_by_default_nothing_is_sent() -> None:
    sent = await get_sent({})
    assert not [name for name in sent if "forwarded" in name or name == "x-real-ip"]
    assert sent["accept-encoding"] == "identity"


async def test_the_address_is_sent_by_setting() -> None:
    sent = await get_sent({"forward_client_address": "x-forwarded-for"})
    assert sent["x-forwarded-for"] == "192.0.2.7"
    assert sent["x-forwarded-proto"] == "http"
    assert "x-real-ip" not in sent


async def test_a_fixed_field_wins() -> None:
    options = {
        "forward_client_address": "x-forwarded-for",
        "headers": {"X-Forwarded-Proto": "https"},
    }
    assert (await get_sent(options))["x-forwarded-proto"] == "https"


async def test_content_codings_are_accepted_by_setting() -> None:
    sent = await get_sent({"accept_encoding": ["zstd", "gzip"]})
    assert sent["accept-encoding"] == "zstd, gzip"
