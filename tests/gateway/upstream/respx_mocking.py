"""`respx.mock(using="transport")`: respx in the place of the transport under our clients.

Its own mockers patch `httpx.AsyncClient` or httpcore, and our clients go through neither.
"""

from collections.abc import Callable
from typing import Any, ClassVar

import httpx
from respx.mocks import AbstractRequestMocker

from gateway.upstream.sender import HttpxSender


class TransportMocker(AbstractRequestMocker):
    """Mocks both transports; respx finds this class by its `name`."""

    name = "transport"
    targets: ClassVar[list[str]] = [
        "gateway.transport.transport.Transport",
        "gateway.upstream.sender.DirectSender",
        "httpx.AsyncHTTPTransport",
    ]
    target_methods: ClassVar[list[str]] = ["handle_async_request", "send", "try_begin"]

    @classmethod
    def mock(cls, spec: Callable[..., Any]) -> Callable[..., Any]:
        """Replace a method; the direct sender behaves like the httpx sender."""
        if spec.__name__ == "try_begin":
            return HttpxSender.try_begin
        if spec.__name__ == "send":
            return HttpxSender.send
        stand_in: Callable[..., Any] = super().mock(spec)  # type: ignore[no-untyped-call]
        return stand_in

    @classmethod
    def to_httpx_request(cls, **call: httpx.Request) -> httpx.Request:
        """Return the request that the transport was given."""
        return call["request"]

    @classmethod
    async def from_async_httpx_response(
        cls, httpx_response: httpx.Response, target: object, **call: object
    ) -> httpx.Response:
        """Return the response of the transport."""
        return httpx_response
