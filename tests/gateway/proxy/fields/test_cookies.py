"""Cookies of a service stay with the paths of its route."""

import pytest

from gateway.proxy.fields.cookies import rewrite_cookie


@pytest.mark.parametrize(
    ("received", "sent"),
    [
        (b"a=1", b"a=1"),
        (b"a=1; Path=/v1/x; Secure", b"a=1; Secure; Path=/items/x"),
        (b"a=1;path=/v1/", b"a=1; Path=/items/"),
        (b"a=1; PATH = /v1/x ;HttpOnly", b"a=1;HttpOnly; Path=/items/x"),
        (b"a=1; Path=/", b"a=1; Path=/items/"),
        (b"a=1; Path=/v1", b"a=1; Path=/items/"),
        (b"a=1; Path=/other/x", b"a=1; Path=/items/"),
        (b"a=1; Path=x", b"a=1; Path=/items/"),
        (b"a=1; Path", b"a=1; Path=/items/"),
        (b"a=1; Domain=.example.com; Path=/", b"a=1; Path=/items/"),
        (b"a=1; domain=items.internal", b"a=1"),
        (b"a=1; Domain", b"a=1"),
        (b"__Host-a=1; Secure; Path=/", b"__Host-a=1; Secure; Path=/"),
        (b" __host-a=1; Path=/", b" __host-a=1; Path=/"),
        (b"__Secure-a=1; Secure; Path=/", b"__Secure-a=1; Secure; Path=/items/"),
        (b"a=Path=/; SameSite=Lax", b"a=Path=/; SameSite=Lax"),
        (b"a=1; Path=/v1/x; Path=/", b"a=1; Path=/items/"),
        (b"a=1; Path=/; Secure; Path=/v1/x", b"a=1; Secure; Path=/items/x"),
        (b"a=1" + b";path=/v1/x" * 5_000, b"a=1; Path=/items/x"),
    ],
)
def test_path_and_domain_are_rewritten(received: bytes, sent: bytes) -> None:
    assert rewrite_cookie(received, b"/items/", b"/v1/", keep_domain=False) == sent


def test_a_path_of_the_caller_adds_no_attribute() -> None:
    prefix = b"/shops/1;Domain=example.com;/"
    assert rewrite_cookie(b"a=1; Path=/x", prefix, b"/", keep_domain=False) == (
        b"a=1; Path=/shops/1%3BDomain=example.com%3B/x"
    )


def test_the_domain_stays_if_the_service_knows_the_host_of_the_caller() -> None:
    cookie = b"a=1; Domain=example.com; Path=/x"
    assert rewrite_cookie(cookie, b"/items/", b"/", keep_domain=True) == (
        b"a=1; Domain=example.com; Path=/items/x"
    )
