"""`server.allowed_hosts`: the hosts of requests that are served, on a socket."""

from collections.abc import AsyncIterator
from ipaddress import ip_network
from typing import Any

import pytest
from fastapi import APIRouter

from gateway.app import build_app
from gateway.app_loader import Application
from gateway.auth import public
from gateway.middleware.allowed_hosts import AllowedHosts
from gateway.settings.schema import Server, Settings
from tests.gateway.errors.served import Served, build_request, serve
from tests.gateway.proxy.websocket.open_tunnel import HANDSHAKE, echo, open_tunnels

HOSTS: Any = ("api.example.com", "*.shop.example.com", "10.0.0.1", "[2001:DB8::1]")
PREFLIGHT = {"Origin": "https://a.example", "Access-Control-Request-Method": "GET"}

router = APIRouter(dependencies=[public("a test")])


@router.get("/general")
async def get_general() -> str:
    return "served"


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    server = Server(
        allowed_hosts=HOSTS,
        trusted_proxies=(ip_network("127.0.0.1"),),
        forward_auth=True,
        cors_origins=("https://a.example",),
    )
    async with serve(router, settings=Settings(server=server)) as served:
        yield served


def ask(host: str, target: str = "/general", method: str = "GET", **fields: str) -> bytes:
    """Return a request to this host."""
    headers = {name.replace("_", "-"): value for name, value in fields.items()}
    request = build_request(target, method, headers=headers)
    return request.replace(b"Host: x\r\n", b"Host: " + host.encode() + b"\r\n")


CASES = {
    "api.example.com": 200,
    "API.Example.COM:8443": 200,
    "api.example.com.": 200,
    "a.shop.example.com": 200,
    "a.b.shop.example.com:80": 200,
    "10.0.0.1:8000": 200,
    "[2001:db8:0::1]:8000": 200,
    "shop.example.com": 421,
    "evilshop.example.com": 421,
    "api.example.com.evil.test": 421,
    "evil.test": 421,
    "example.com": 421,
    "10.0.0.2": 421,
    "[2001:db8::2]": 421,
    "": 421,
}


@pytest.mark.parametrize(("host", "status"), CASES.items())
async def test_a_request_to_another_host_is_refused(served: Served, host: str, status: int) -> None:
    (reply,) = await served.send(ask(host))
    assert reply.status == status
    if status == 421:
        assert reply.document["title"] == "Misdirected Request"
        assert reply.document["detail"] == "This server does not serve the host of the request."
        await served.settle(1)
        (line,) = served.log.completed
        assert line["explanation"] == f"Host is {host!r}, which server.allowed_hosts lacks"


async def test_an_absolute_target_names_the_host(served: Served) -> None:
    requests = [
        ask("api.example.com", "http://evil.test/general"),
        ask("evil.test", "http://api.example.com/general"),
    ]
    replies = [(await served.send(it))[0].status for it in requests]
    assert replies == [421, 200]


async def test_the_forwarded_host_of_a_trusted_proxy_must_be_allowed_too(served: Served) -> None:
    for forwarded, status in (
        ("api.example.com", 200),
        ("evil.test, api.example.com:443", 200),
        ("api.example.com, evil.test", 421),
        ("evil.test", 421),
    ):
        (reply,) = await served.send(ask("api.example.com", X_Forwarded_Host=forwarded))
        assert reply.status == status, forwarded
    (reply,) = await served.send(ask("evil.test", X_Forwarded_Host="api.example.com"))
    assert reply.status == 421


async def test_every_path_and_method_is_refused_but_the_probes(served: Served) -> None:
    asked = {"X_Original_Method": "GET", "X_Original_URI": "/general"}
    requests = [
        ask("evil.test", "/nowhere"),
        ask("evil.test", "/docs"),
        ask("evil.test", "/auth/verify", **asked),
        ask("evil.test", "/general", "POST"),
        ask("evil.test", "/general", "OPTIONS", **PREFLIGHT),
        ask("evil.test", "/healthz/"),
        ask("evil.test", "/a//b"),
    ]
    assert [(await served.send(it))[0].status for it in requests] == [421] * len(requests)
    probes = [ask("10.9.9.9:8000", path) for path in ("/healthz", "/readyz")]
    assert 421 not in [(await served.send(it))[0].status for it in probes]
    (reply,) = await served.send(ask("api.example.com", "/auth/verify", **asked))
    assert reply.status == 200


async def test_a_websocket_handshake_to_another_host_is_refused() -> None:
    async with open_tunnels(echo, server={"allowed_hosts": ["gateway"]}) as served:
        side = await served.open_raw(HANDSHAKE)
        assert (await side.read_head()).startswith(b"HTTP/1.1 101 ")
        side.writer.close()
        side = await served.open_raw(HANDSHAKE.replace(b"Host: gateway", b"Host: evil.test"))
        assert (await side.read_head()).startswith(b"HTTP/1.1 421 ")
        side.writer.close()
        await served.wait_for_end()


def test_the_middleware_is_absent_without_the_setting() -> None:
    for hosts, expected in (((), 0), (HOSTS, 1)):
        app = build_app(Settings(server=Server(allowed_hosts=hosts)), Application())
        stack: Any = app.build_middleware_stack()
        found = 0
        while stack is not None:
            found += isinstance(stack, AllowedHosts)
            stack = getattr(stack, "app", None)
        assert found == expected
