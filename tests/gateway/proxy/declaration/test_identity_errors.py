"""Routes and services that need a signing key do not start without one."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from gateway.proxy import Proxy
from gateway.proxy.declaration.identity_errors import find_missing_key_errors
from gateway.settings.schema import Identity, Service, Settings

STOCK = Proxy("/stock/{path:path}", to="stock", requires="stock:read")
BILLS = Proxy("/bills/{path:path}", to="bills", requires=(), methods=["POST"])
OTHERS = [
    Proxy("/a/{path:path}", to="a", requires=(), identity="headers"),
    Proxy("/b/{path:path}", to="b", requires=(), identity="none"),
    Proxy("/c/{path:path}", to="c", public="a test"),
]


@pytest.mark.parametrize(
    ("proxies", "asking", "errors"),
    [
        (OTHERS, False, []),
        (
            [*OTHERS, STOCK],
            False,
            ["is required: the proxied route ANY /stock/{path:path} sends an internal token"],
        ),
        (
            [BILLS, STOCK],
            False,
            ["is required: the proxied routes POST /bills/{path:path} and 1 more send an internal"],
        ),
        ([], True, ["upstreams.stock.internal_token: is set, but there is no key"]),
    ],
)
def test_what_sends_an_internal_token_needs_a_key(
    proxies: Sequence[Proxy], asking: bool, errors: Sequence[str], tmp_path: Path
) -> None:
    service = Service.model_validate({"url": "http://stock", "internal_token": asking})
    settings = Settings(upstreams={"stock": service})
    found = [str(error) for error in find_missing_key_errors(settings, proxies)]
    assert len(found) == len(errors)
    for error, words in zip(found, errors, strict=True):
        assert words in error
        assert "lockgate signing-keys rotate --file FILE" in error
    identity = Identity(issuer="https://gateway.example.com", signing_key_file=tmp_path / "keys")
    with_key = settings.model_copy(update={"identity": identity})
    assert find_missing_key_errors(with_key, proxies) == []


def test_the_error_of_a_route_says_how_to_do_without_a_token() -> None:
    (error,) = find_missing_key_errors(Settings(), [STOCK])
    assert 'identity="headers" or identity="none"' in error.hint
