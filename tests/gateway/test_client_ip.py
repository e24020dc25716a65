"""The client address behind trusted proxies; the headers of other peers are ignored."""

from ipaddress import ip_network

import pytest
from starlette.requests import HTTPConnection

from gateway.client_ip import ClientAddress, explain_ignored_fields, find_client_address
from gateway.ratelimit.partition import address_partition
from gateway.settings.schema import Server

TRUSTED = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"), ip_network("fe80::/10"))
PROXY, CLIENT = "10.0.0.1", "198.51.100.7"
Headers = tuple[tuple[str, str], ...]


def connect(peer: str | None, *headers: tuple[str, str]) -> HTTPConnection:
    """A connection from `peer` with these headers."""
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    client = (peer, 40_000) if peer else None
    return HTTPConnection({"type": "http", "client": client, "headers": raw})


def find(peer: str | None, *headers: tuple[str, str], header: str | None = None) -> ClientAddress:
    """Find the address of such a request; `header` is the setting."""
    server = Server(trusted_proxies=TRUSTED, client_address_header=header)
    return find_client_address(connect(peer, *headers), server)


def get_counted_address(peer: str | None, *headers: tuple[str, str]) -> str:
    """The address that such a request is counted under."""
    return address_partition(find(peer, *headers).ip).removeprefix("address:")


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "expected"),
    [
        ("203.0.113.9", None, "203.0.113.9"),
        ("203.0.113.9", CLIENT, "203.0.113.9"),  # the peer is not trusted
        (PROXY, None, PROXY),
        (PROXY, CLIENT, CLIENT),
        (PROXY, "1.1.1.1, 198.51.100.7", CLIENT),  # the left one is only claimed
        (PROXY, "198.51.100.7, 10.2.3.4", CLIENT),
        (PROXY, "10.9.9.9, 10.2.3.4", "10.9.9.9"),  # only trusted hops: the farthest
        (PROXY, "198.51.100.7, 10.2.3.4, nonsense", PROXY),
        (PROXY, "198.51.100.7, nonsense, 10.2.3.4", "10.2.3.4"),
        (PROXY, "198.51.100.7, unknown", PROXY),
        (PROXY, "198.51.100.7, unix:", PROXY),  # nginx that listens on a unix socket
        (PROXY, "198.51.100.7,", CLIENT),  # empty elements do not count (RFC 9110, 5.6.1)
        (PROXY, ",, 198.51.100.7 , ,10.2.3.4,", CLIENT),
        (PROXY, ", ,", PROXY),
        (PROXY, "", PROXY),
        (PROXY, "2001:db8:1:2:3:4:5:6, fe80::9%eth0", "2001:db8:1:2::"),
        (PROXY, "198.51.100.7, ::ffff:10.2.3.4", CLIENT),
        (PROXY, "9" * 3_000, PROXY),
        (PROXY, "1.1.1.1, " * 1_000 + CLIENT, CLIENT),  # as long as the client likes
        (PROXY, ", ".join([CLIENT] + ["10.2.3.4"] * 50), "10.2.3.4"),  # too many hops
        ("::ffff:10.0.0.1", CLIENT, CLIENT),
        ("fd00::1", CLIENT, CLIENT),
        ("fe80::1%eth0", CLIENT, CLIENT),
        ("2001:db8::1", CLIENT, "2001:db8::"),
        (None, CLIENT, "unknown"),
        ("a-test-client", CLIENT, "unknown"),
    ],
)
def test_x_forwarded_for(peer: str | None, forwarded_for: str | None, expected: str) -> None:
    headers = [("x-forwarded-for", forwarded_for)] if forwarded_for is not None else []
    assert get_counted_address(peer, *headers) == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("for=1.1.1.1, for=198.51.100.7", CLIENT),
        ("for=1.1.1.1, for=198.51.100.7, for=10.2.3.4", CLIENT),
        ("for=198.51.100.7, for=10.2.3.4, ", CLIENT),
        ("for=198.51.100.7,, for=10.2.3.4;", CLIENT),
        ("for=198.51.100.7, for=unknown", PROXY),
        ("for=198.51.100.7, for=_hidden", PROXY),
        ("for=198.51.100.7, for=_hidden, for=10.2.3.4", "10.2.3.4"),
        ("for=198.51.100.7, proto=https", PROXY),
        ("proto=https;host=x", PROXY),
        (", ".join(["for=10.2.3.4"] * 19 + ["," * 500]), PROXY),
        ("for=1.1.1.1," * 1_000 + "for=198.51.100.7", CLIENT),
    ],
)
def test_forwarded(header: str, expected: str) -> None:
    assert get_counted_address(PROXY, ("forwarded", header)) == expected


@pytest.mark.parametrize(
    ("forwarded", "forwarded_for", "expected"),
    [
        ("for=198.51.100.7", CLIENT, CLIENT),
        ("for=198.51.100.7", "198.51.100.7, 10.2.3.4", CLIENT),  # only one of two proxies adds it
        ("for=1.1.1.1, for=198.51.100.7", "2.2.2.2, 198.51.100.7", CLIENT),
        ('for="198.51.100.7:50123";proto=https;by=10.0.0.1;', "198.51.100.7:50123", CLIENT),
        ('for="[2001:db8:1:2::9]"', "2001:0DB8:1:2::9", "2001:db8:1:2::"),
        ("proto=https;host=x", CLIENT, CLIENT),  # it names no client
        ("for=1.1.1.1", CLIENT, PROXY),
        ("for=unknown", CLIENT, PROXY),
        ("for=198.51.100.7", "nonsense", PROXY),
        ("", CLIENT, CLIENT),
        ("for=198.51.100.7", "", CLIENT),
    ],
)
def test_both_headers_must_name_the_same_client(
    forwarded: str, forwarded_for: str, expected: str
) -> None:
    both = [("forwarded", forwarded), ("x-forwarded-for", forwarded_for)]
    assert get_counted_address(PROXY, *both) == expected
    assert get_counted_address("203.0.113.9", *both) == "203.0.113.9"


def test_several_lines_of_one_header_are_one_list() -> None:
    lines = [("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", CLIENT)]
    assert get_counted_address(PROXY, *lines) == CLIENT
    assert get_counted_address(PROXY, *lines, ("x-forwarded-for", "10.2.3.4")) == CLIENT
    pair = [("forwarded", "for=1.1.1.1"), ("forwarded", "for=198.51.100.7")]
    assert get_counted_address(PROXY, *pair) == CLIENT


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CF-Connecting-IP", CLIENT),
        ("True-Client-IP", "::ffff:198.51.100.7"),
        ("X-Real-IP", " 198.51.100.7"),
        ("Fly-Client-IP", CLIENT),
        ("X-Azure-ClientIP", "198.51.100.7:50123"),
        ("CloudFront-Viewer-Address", "198.51.100.7:50123"),
        ("X-Forwarded-For", "1.1.1.1, 198.51.100.7, 10.2.3.4"),
        ("Forwarded", "for=1.1.1.1, for=198.51.100.7"),
    ],
)
def test_a_header_by_setting_is_the_only_one(name: str, value: str) -> None:
    forged = [(it, "1.1.1.1") for it in ("x-client-ip", "x-forwarded-for") if it != name.lower()]
    forged += [("forwarded", "for=1.1.1.1")] if name != "Forwarded" else []
    sent = (name.lower(), value)
    assert str(find(PROXY, *forged, sent, header=name).ip) == CLIENT
    assert str(find("203.0.113.9", *forged, sent, header=name).ip) == "203.0.113.9"
    assert str(find(PROXY, *forged, header=name).ip) == PROXY


@pytest.mark.parametrize(
    ("setting", "headers", "doubt"),
    [
        (None, (), ""),
        (None, (("x-forwarded-for", CLIENT),), ""),
        (None, (("x-forwarded-for", "a"),), "x-forwarded-for has a hop that is not an address"),
        (None, (("forwarded", "for=_a"),), "forwarded has a hop that is not an address"),
        (
            None,
            (("x-forwarded-for", CLIENT), ("forwarded", "for=1.1.1.1")),
            "forwarded and x-forwarded-for name different clients",
        ),
        ("X-Real-IP", (), "x-real-ip is missing"),
        ("X-Real-IP", (("x-real-ip", CLIENT),), ""),
        ("X-Real-IP", (("x-real-ip", "1.1.1.1"), ("x-real-ip", CLIENT)), "x-real-ip is sent twice"),
        ("X-Real-IP", (("x-real-ip", "1.1.1.1, 198.51.100.7"),), "x-real-ip is not an address"),
        ("X-Real-IP", (("x-real-ip", ""),), "x-real-ip is not an address"),
    ],
)
def test_a_doubt_says_why_the_peer_is_taken(
    setting: str | None, headers: Headers, doubt: str
) -> None:
    found = find(PROXY, *headers, header=setting)
    assert found.doubt == doubt
    assert (str(found.ip) == PROXY) == (bool(doubt) or not headers)


@pytest.mark.parametrize(
    ("peer", "setting", "explanation"),
    [
        ("203.0.113.9", None, "x-forwarded-for is not from one of server.trusted_proxies"),
        (
            "203.0.113.9",
            "X-Forwarded-For",
            "x-forwarded-for is not from one of server.trusted_proxies",
        ),
        ("203.0.113.9", "X-Real-IP", ""),
        (None, None, "x-forwarded-for is not from one of server.trusted_proxies"),
        (PROXY, None, ""),
    ],
)
def test_fields_of_a_peer_that_is_not_trusted(
    peer: str | None, setting: str | None, explanation: str
) -> None:
    connection = connect(peer, ("x-forwarded-for", CLIENT))
    server = Server(trusted_proxies=TRUSTED, client_address_header=setting)
    assert explain_ignored_fields(connection, server) == explanation
    assert explain_ignored_fields(connect(peer), server) == ""
