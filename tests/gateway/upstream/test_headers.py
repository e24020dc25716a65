"""Header fields that would change the framing of a request are refused."""

import pytest

from gateway.upstream.propagation import propagate_headers
from tests.gateway.upstream.example_client import ExampleClient


@pytest.mark.parametrize(
    "headers",
    [
        {"X-A": "b\r\nX-C: d"},
        {"X-A": "b\n"},
        {"X-A\r\nX-C": "d"},
        {"": "d"},
        {"X-A": "\x00"},
        {"X-A": "\u2028"},
        {"X-A": "\xe9"},
        {"Host": "evil.test"},
        {"Transfer-Encoding": "chunked"},
        {"Content-Length": "0"},
        {"Connection": "upgrade"},
    ],
)
async def test_headers_that_would_change_the_framing_are_refused(
    client: ExampleClient, headers: dict[str, str]
) -> None:
    with pytest.raises(ValueError, match="header"):
        await client.item("A", headers=headers)
    with pytest.raises(ValueError, match="header"), propagate_headers(headers):
        pytest.fail("it let them in")
