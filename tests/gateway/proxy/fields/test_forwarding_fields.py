"""What a service learns about the client, directly and behind trusted proxies."""

from typing import Any

import pytest

from gateway.proxy.fields.forwarding_fields import ForwardingFields
from gateway.settings.schema import Server, Service

HOST = (b"host", b"api.example.com")
TRUSTED: dict[str, Any] = {"trusted_proxies": ["10.0.0.0/8"]}


def build(
    *received: tuple[bytes, bytes],
    peer: str | None = "192.0.2.7",
    scheme: str = "http",
    form: str = "off",
    **server: Any,
) -> dict[bytes, bytes]:
    service = Service.model_validate({"url": "http://items", "forward_client_address": form})
    built = ForwardingFields(service, Server.model_validate(server))
    scope = {"scheme": scheme, "client": None if peer is None else (peer, 1)}
    fields = dict(built.build(scope, received))
    assert dict(built.build(scope, received)) == fields
    return fields


def test_the_client_is_the_peer() -> None:
    assert build(HOST) == {
        b"x-forwarded-for": b"192.0.2.7",
        b"x-forwarded-proto": b"http",
        b"x-forwarded-host": b"api.example.com",
        b"x-forwarded-port": b"80",
    }


def test_forwarded_is_sent_if_the_settings_ask_for_it() -> None:
    fields = build(HOST, form="forwarded", peer="2001:db8::1", scheme="https")
    assert fields == {
        b"forwarded": b'for="[2001:db8::1]";proto=https;host="api.example.com"',
        b"x-forwarded-for": b"2001:db8::1",
        b"x-forwarded-proto": b"https",
        b"x-forwarded-host": b"api.example.com",
        b"x-forwarded-port": b"443",
    }


FORGED = (
    (b"forwarded", b"for=203.0.113.9;proto=https;host=evil.example"),
    (b"x-forwarded-for", b"203.0.113.9"),
    (b"x-forwarded-proto", b"https"),
    (b"x-forwarded-host", b"evil.example"),
    (b"x-forwarded-port", b"444"),
)


@pytest.mark.parametrize("server", [{}, TRUSTED])
def test_a_client_that_is_no_trusted_proxy_is_not_believed(server: dict[str, Any]) -> None:
    assert build(HOST, *FORGED, form="forwarded", **server) == build(HOST, form="forwarded")


@pytest.mark.parametrize(
    ("hops", "client"),
    [
        (b"192.0.2.1", b"192.0.2.1"),
        (b"203.0.113.9, 192.0.2.1", b"192.0.2.1"),
        (b"203.0.113.9, 192.0.2.1, 10.1.2.3", b"192.0.2.1"),
        (b"192.0.2.1, nonsense", b"10.0.0.1"),
        (b"192.0.2.1\t,\t10.0.0.9", b"192.0.2.1"),
        (b"::ffff:192.0.2.1", b"192.0.2.1"),
        (b"x" * 2_000, b"10.0.0.1"),
    ],
)
def test_only_trusted_hops_are_believed(hops: bytes, client: bytes) -> None:
    fields = build(
        HOST,
        (b"x-forwarded-for", hops),
        (b"x-forwarded-proto", b"https"),
        (b"x-forwarded-host", b"www.example.com:8443"),
        peer="10.0.0.1",
        **TRUSTED,
    )
    assert fields == {
        b"x-forwarded-for": client,
        b"x-forwarded-proto": b"https",
        b"x-forwarded-host": b"www.example.com:8443",
        b"x-forwarded-port": b"8443",
    }


def test_the_address_comes_from_the_field_of_the_settings() -> None:
    server: dict[str, Any] = {**TRUSTED, "client_address_header": "CF-Connecting-IP"}
    received = [HOST, (b"cf-connecting-ip", b"192.0.2.1"), *FORGED[:2]]
    assert build(*received, peer="10.0.0.1", **server)[b"x-forwarded-for"] == b"192.0.2.1"
    assert build(*received, **server)[b"x-forwarded-for"] == b"192.0.2.7"


@pytest.mark.parametrize("host", [b"", b"a,b", b"a%0d", b"a b", b"evil.example/x", b"a@b"])
def test_a_host_that_could_be_misread_is_left_out(host: bytes) -> None:
    assert b"x-forwarded-host" not in build((b"host", host))


@pytest.mark.parametrize(
    ("host", "scheme", "port"),
    [(b"[2001:db8::1]", "http", b"80"), (b"[::1]:81", "https", b"81"), (b"a:1", "ws", b"1")],
)
def test_the_port_is_that_of_the_host_or_of_the_scheme(
    host: bytes, scheme: str, port: bytes
) -> None:
    assert build((b"host", host), scheme=scheme)[b"x-forwarded-port"] == port


@pytest.mark.parametrize(
    ("told", "peer", "port"),
    [
        ([b"8443"], "10.0.0.1", b"8443"),
        ([b"8443"], "192.0.2.7", b"80"),
        ([b"8443, 80"], "10.0.0.1", b"80"),
        ([b"8443", b"8444"], "10.0.0.1", b"80"),
        ([b"x"], "10.0.0.1", b"80"),
    ],
)
def test_a_trusted_proxy_can_say_the_port(told: list[bytes], peer: str, port: bytes) -> None:
    forwarded = (b"x-forwarded-host", HOST[1])
    received = [HOST, forwarded, *((b"x-forwarded-port", value) for value in told)]
    assert build(*received, peer=peer, **TRUSTED)[b"x-forwarded-port"] == port
    with_port = [(b"host", b"a:81"), (b"x-forwarded-host", b"a:81"), *received[2:]]
    assert build(*with_port, peer=peer, **TRUSTED)[b"x-forwarded-port"] == b"81"


@pytest.mark.parametrize("hosts", [[], [b""], [b"a.example, api.example.com"], [HOST[1]] * 2])
def test_a_port_is_not_believed_without_a_host_of_the_same_hop(hosts: list[bytes]) -> None:
    received = [HOST, *((b"x-forwarded-host", value) for value in hosts)]
    fields = build(*received, (b"x-forwarded-port", b"444"), peer="10.0.0.1", **TRUSTED)
    assert fields[b"x-forwarded-port"] == b"80"


def test_a_peer_without_an_address_has_none() -> None:
    assert b"x-forwarded-for" not in build(HOST, peer=None)
    assert b"x-forwarded-for" not in build(HOST, peer="unix")


def test_long_values_are_not_cached() -> None:
    service = Service.model_validate({"url": "http://items"})
    built = ForwardingFields(service, Server())
    for _ in range(2):
        built.build({"scheme": "http", "client": ("192.0.2.7", 1)}, [(b"host", b"x" * 600)])
    assert built._build_cached.cache_info().currsize == 0
