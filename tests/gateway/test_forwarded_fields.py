"""Addresses as proxies write them, in lists and alone."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.forwarded_fields import (
    MAX_HOPS,
    has_for,
    parse_forwarded,
    parse_node,
    parse_single,
    parse_x_forwarded_for,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("198.51.100.7:50123", "198.51.100.7"),
        ("198.51.100.7:_port", "198.51.100.7"),
        (" 198.51.100.7\t", "198.51.100.7"),
        ("2001:db8::9", "2001:db8::9"),
        ("2001:DB8:0:0::9", "2001:db8::9"),
        ("[2001:db8::9]", "2001:db8::9"),
        ("[2001:db8::9]:443", "2001:db8::9"),
        ("fe80::1%eth0", "fe80::1"),
        ("fe80::1%25eth0", "fe80::1"),
        ("[fe80::1%25eth0]:443", "fe80::1"),
        ("[fe80::1]%eth0:443", "fe80::1"),
        ("::1", "::1"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("[::ffff:c633:6407]:443", "198.51.100.7"),
        ("64:ff9b::198.51.100.7", "198.51.100.7"),
        ("64:ff9b::c633:6407", "198.51.100.7"),
        ("64:ff9b:1::c633:6407", "64:ff9b:1::c633:6407"),
        ("", None),
        ("unknown", None),
        ("_hidden", None),
        ("unix:", None),
        ("localhost", None),
        ("198.51.100", None),
        ("198.51.100.007", None),
        ("198.51.100.256", None),
        ("198.51.100.7:http", None),
        ("198.51.100.7/32", None),
        ("198.51.100.7 1.1.1.1", None),
        ("198.51.100.7%eth0", None),
        ("0x7f.1", None),
        ("2130706433", None),
        ("[198.51.100.7]", None),
        ("[2001:db8::9", None),
        ("2001:db8::9]", None),
        ("2001:db8:::9", None),
        ("fe80::1%", None),
        ("fe80::1%" + "e" * 99, None),
        ("\u0661.1.1.1", None),
    ],
)
def test_a_node(text: str, expected: str | None) -> None:
    assert parse_node(text) == (ip_address(expected) if expected else None)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("cf-connecting-ip", "2001:db8::9", "2001:db8::9"),
        ("cloudfront-viewer-address", "198.51.100.7:46532", "198.51.100.7"),
        ("cloudfront-viewer-address", "2001:db8::9:46532", "2001:db8::9"),
        ("cloudfront-viewer-address", "[2001:db8::9]:46532", "2001:db8::9"),
        ("cloudfront-viewer-address", "198.51.100.7", None),
    ],
)
def test_a_field_with_one_address(name: str, value: str, expected: str | None) -> None:
    assert parse_single(name, value) == (ip_address(expected) if expected else None)


@pytest.mark.parametrize(
    ("element", "expected"),
    [
        ("for=198.51.100.7", "198.51.100.7"),
        ("For=198.51.100.7;proto=https;by=10.0.0.1", "198.51.100.7"),
        ("proto=https;FOR=198.51.100.7", "198.51.100.7"),
        ("for=198.51.100.7;", "198.51.100.7"),
        (";for=198.51.100.7;;proto=https;", "198.51.100.7"),
        ("for=198.51.100.7 ; proto=https", "198.51.100.7"),
        ("\tfor=198.51.100.7;\tproto=https\t", "198.51.100.7"),
        ('for="198.51.100.7"', "198.51.100.7"),
        ('for="198.51.100.7:50123"', "198.51.100.7"),
        ("for=198.51.100.7:50123", "198.51.100.7"),
        ('for="[2001:db8::9]:443"', "2001:db8::9"),
        ('for="[2001:db8::9]"', "2001:db8::9"),
        ('for="2001:db8::9"', "2001:db8::9"),
        ("for=2001:db8::9;proto=https", "2001:db8::9"),
        ("for=[2001:db8::9]:443;proto=https", "2001:db8::9"),
        ('for="[fe80::1%25eth0]"', "fe80::1"),
        ("for=fe80::1%eth0", "fe80::1"),
        ('for="198.51.100.\\7"', "198.51.100.7"),
        ('for=198.51.100.7;ext="a, b;for=1.1.1.1"', "198.51.100.7"),
        ('for="1.1.1.1, for=198.51.100.7', "198.51.100.7"),  # an open quote on the left
        ('for=1.1.1.1;x=", for="[2001:db8::9]"', "2001:db8::9"),
        ('for=1.1.1.1;x="\\, for="[2001:db8::9]"', "2001:db8::9"),
        ("for=198.51.100.7;for=198.51.100.8", None),
        ("for=198.51.100.7;For=198.51.100.7", None),
        ("for = 198.51.100.7", None),
        ("for=", None),
        ("for", None),
        ("198.51.100.7", None),
        ('for="198.51.100.7', None),
        ("for='198.51.100.7'", None),
        ("for=unknown", None),
        ("for=_hidden", None),
        ("xfor=198.51.100.7", None),
    ],
)
def test_the_last_element_of_forwarded(element: str, expected: str | None) -> None:
    assert next(parse_forwarded(element)) == (ip_address(expected) if expected else None)


@pytest.mark.parametrize("header", ["for=a", "x=y;For=a", "x=y; for=a", "x=y,for=a"])
def test_a_header_that_names_a_client(header: str) -> None:
    assert has_for(header)
    assert not has_for(header.lower().replace("for=", "xfor="))


TEXT = st.text(st.sampled_from('for=1.2.3.4",;\\ []:%_a'), max_size=60)


@given(outside=TEXT)
def test_what_a_client_sends_never_changes_the_hop_of_the_proxy(outside: str) -> None:
    proxy = ip_address("192.0.2.1")
    assert next(parse_forwarded(outside + ", for=192.0.2.1")) == proxy
    assert next(parse_forwarded(outside + ', for="192.0.2.1:1";proto=http')) == proxy
    assert next(parse_x_forwarded_for(outside + ", 192.0.2.1")) == proxy
    assert len(list(parse_forwarded(outside * 99))) <= MAX_HOPS
