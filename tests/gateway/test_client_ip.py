"""The client address behind trusted proxies; the headers of other peers are ignored."""

from ipaddress import ip_network

import pytest
from starlette.requests import HTTPConnection

from gateway.client_ip import find_client_address
from gateway.ratelimit.partition import address_partition

TRUSTED = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
PROXY = "10.0.0.1"


def connection(peer: str | None, *headers: tuple[str, str]) -> HTTPConnection:
    """A connection from `peer` with these headers."""
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    client = (peer, 40_000) if peer else None
    return HTTPConnection({"type": "http", "client": client, "headers": raw})


def get_counted_address(peer: str | None, *headers: tuple[str, str]) -> str:
    """The address that such a request is counted under."""
    address = find_client_address(connection(peer, *headers), TRUSTED)
    return address_partition(address).removeprefix("address:")


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "expected"),
    [
        ("203.0.113.9", None, "203.0.113.9"),
        ("203.0.113.9", "198.51.100.7", "203.0.113.9"),  # the peer is not trusted
        (PROXY, None, PROXY),
        (PROXY, "198.51.100.7", "198.51.100.7"),
        (PROXY, "198.51.100.7:50123", "198.51.100.7"),
        (PROXY, "1.1.1.1, 198.51.100.7", "198.51.100.7"),  # the left one is only claimed
        (PROXY, "198.51.100.7, 10.2.3.4", "198.51.100.7"),
        (PROXY, "10.9.9.9, 10.2.3.4", "10.9.9.9"),  # only trusted hops: the farthest
        (PROXY, "198.51.100.7, 10.2.3.4, nonsense", PROXY),
        (PROXY, "198.51.100.7, nonsense, 10.2.3.4", "10.2.3.4"),
        (PROXY, "198.51.100.7, unknown", PROXY),
        (PROXY, "198.51.100.7,", PROXY),
        (PROXY, "", PROXY),
        (PROXY, "198.51.100.007", PROXY),
        (PROXY, "198.51.100.7:http", PROXY),
        (PROXY, "fe80::1%eth0", PROXY),
        (PROXY, "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        (PROXY, "[2001:db8:1:2:3:4:5:6]:443", "2001:db8:1:2::"),
        (PROXY, "::ffff:198.51.100.7", "198.51.100.7"),
        (PROXY, "198.51.100.7, ::ffff:10.2.3.4", "198.51.100.7"),
        (PROXY, "9" * 3_000, PROXY),
        (PROXY, ", ".join(["198.51.100.7"] + ["10.2.3.4"] * 50), "10.2.3.4"),  # too many hops
        ("::ffff:10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("fd00::1", "198.51.100.7", "198.51.100.7"),
        ("2001:db8::1", "198.51.100.7", "2001:db8::"),
        (None, "198.51.100.7", "unknown"),
        ("a-test-client", "198.51.100.7", "unknown"),
    ],
)
def test_x_forwarded_for(peer: str | None, forwarded_for: str | None, expected: str) -> None:
    headers = [("x-forwarded-for", forwarded_for)] if forwarded_for is not None else []
    assert get_counted_address(peer, *headers) == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("for=198.51.100.7", "198.51.100.7"),
        ("For=198.51.100.7;proto=https;by=10.0.0.1", "198.51.100.7"),
        ('for="198.51.100.7:50123"', "198.51.100.7"),
        ('for="[2001:db8:1:2::9]:443"', "2001:db8:1:2::"),
        ('for="[2001:db8:1:2::9]"', "2001:db8:1:2::"),
        ("for=1.1.1.1, for=198.51.100.7", "198.51.100.7"),
        ("for=1.1.1.1, for=198.51.100.7, for=10.2.3.4", "198.51.100.7"),
        ("for=198.51.100.7, for=unknown", PROXY),
        ("for=198.51.100.7, for=_hidden", PROXY),
        ("for=198.51.100.7, for=_hidden, for=10.2.3.4", "10.2.3.4"),
        ("for=198.51.100.7, proto=https", PROXY),
        ("for=198.51.100.7;for=198.51.100.8", PROXY),
        ("for=2001:db8::1", PROXY),  # IPv6 must be quoted and bracketed
        ("198.51.100.7", PROXY),
        ('for="198.51.100.7', PROXY),
        ('for="1.1.1.1, for=198.51.100.7', "198.51.100.7"),  # an open quote on the left
        ('for=1.1.1.1;x=", for="[2001:db8:1:2::9]"', "2001:db8:1:2::"),
        ('for=1.1.1.1;x="\\, for="[2001:db8:1:2::9]"', "2001:db8:1:2::"),
        ('for=198.51.100.7;ext="a, b"', "198.51.100.7"),
        ('for="198.51.100.\\7"', "198.51.100.7"),
        (", ".join(["for=10.2.3.4"] * 19 + ["," * 500]), PROXY),
    ],
)
def test_forwarded(header: str, expected: str) -> None:
    assert get_counted_address(PROXY, ("forwarded", header)) == expected


def test_with_both_headers_neither_is_used() -> None:
    both = [("forwarded", "for=198.51.100.7"), ("x-forwarded-for", "198.51.100.7")]
    assert get_counted_address(PROXY, *both) == PROXY


def test_several_lines_of_one_header_are_one_list() -> None:
    lines = [("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "198.51.100.7")]
    assert get_counted_address(PROXY, *lines) == "198.51.100.7"
