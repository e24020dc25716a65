"""The base URL of a service."""

import pytest

from tests.gateway.upstream.example_client import Shop


@pytest.mark.parametrize(
    "url",
    [
        "shop.test",
        "ftp://shop.test",
        "http://",
        "http://u:p@shop.test",
        "http://a/?b",
        "http://a#b",
        "http://a:b",
    ],
)
def test_an_address_is_only_an_address(url: str) -> None:
    with pytest.raises(ValueError, match="the address of a service"):
        Shop(url)
