"""The base URL of a service."""

import pytest

from tests.gateway.upstream.example_client import ExampleClient


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
def test_an_invalid_base_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="the address of a service"):
        ExampleClient(url)
