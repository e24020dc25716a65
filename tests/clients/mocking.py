"""`respx.mock(using="transport")`: respx in the place of the transport under our clients.

Its own mockers patch `httpx.AsyncClient` or httpcore, and our clients go through neither.
"""

from typing import ClassVar

import httpx
from respx.mocks import AbstractRequestMocker


class TransportMocker(AbstractRequestMocker):
    """Answers for both transports; respx finds it by its name."""

    name = "transport"
    targets: ClassVar[list[str]] = ["clients.transport.Transport", "httpx.AsyncHTTPTransport"]
    target_methods: ClassVar[list[str]] = ["handle_async_request"]

    @classmethod
    def to_httpx_request(cls, **call: httpx.Request) -> httpx.Request:
        """What the transport was given."""
        return call["request"]

    @classmethod
    async def from_async_httpx_response(
        cls, httpx_response: httpx.Response, target: object, **call: object
    ) -> httpx.Response:
        """What the transport gives back."""
        return httpx_response
