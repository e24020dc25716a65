"""Send single requests through a transport, without a client."""

import asyncio

import httpx

from gateway.transport.transport import Transport


def build_request(url: str, method: str = "GET", **timeouts: float) -> httpx.Request:
    extensions = {"timeout": {"read": 5, "connect": 5, **timeouts}}
    content = b"x" if method == "PUT" else None
    return httpx.Request(method, url, content=content, extensions=extensions)


async def fetch_body(
    transport: Transport, url: str, method: str = "GET", **timeouts: float
) -> bytes:
    response = await transport.handle_async_request(build_request(url, method, **timeouts))
    return await response.aread()


async def fetch(
    transport: httpx.AsyncBaseTransport, url: str, method: str = "GET"
) -> tuple[int, bytes]:
    """Send one request without a client, and return the status and the raw body."""
    timeout = httpx.Timeout(5).as_dict()
    request = httpx.Request(method, url, extensions={"timeout": timeout})
    response = await transport.handle_async_request(request)
    return response.status_code, await response.aread()


async def run_loop_turns() -> None:
    """Let tasks run until they wait for the network."""
    for _ in range(5):
        await asyncio.sleep(0)
