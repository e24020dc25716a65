"""Puts a case to a transport, and sees what comes of it and of the next call."""

import asyncio
import ssl
from dataclasses import dataclass, replace

import httpx

from tests.gateway.transport.scripted_server import HELLO, answering, scripted
from tests.torture.case import GET, After, Asked, Case, Outcome
from tests.torture.host import Host, settled

SECONDS = 5.0

_WELL = Outcome(status=200, body=b"hello")


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of a case, and how often its request arrived."""

    outcome: Outcome
    sendings: int


async def ask(transport: httpx.AsyncBaseTransport, url: str, asked: Asked = GET) -> Outcome:
    """One call, read to its end."""
    timeout = dict.fromkeys(("connect", "pool", "read", "write"), asked.patience)
    request = httpx.Request(
        asked.method, url, content=asked.content, extensions={"timeout": timeout}
    )
    try:
        response = await transport.handle_async_request(request)
        body = await response.aread()
    except (httpx.TransportError, ssl.SSLError) as exc:
        return Outcome(type(exc))
    return Outcome(status=response.status_code, body=body)


async def tried(
    transport: httpx.AsyncBaseTransport, case: Case, tls: ssl.SSLContext | None = None
) -> Seen:
    """What comes of `case`, put by a server that proves itself by `tls`; closes the transport."""
    host = Host(case)
    async with scripted(host, tls=tls) as server:
        async with transport:
            seen = await _tried(transport, host, server.url)
        await asyncio.wait_for(server.over(), SECONDS)
    return seen


async def _tried(transport: httpx.AsyncBaseTransport, host: Host, url: str) -> Seen:
    asked = host.case.asked
    if asked.scheme:
        url = f"{asked.scheme}:{url.partition(':')[2]}"
    if asked.warm:
        assert await ask(transport, url) == _WELL
    outcome = await asyncio.wait_for(ask(transport, url, asked), 2 * SECONDS)
    if outcome.error is httpx.ConnectError or asked.scheme:
        await _ask_another(transport)
        return Seen(outcome, host.requests)
    await asyncio.wait_for(host.played.wait(), SECONDS)
    await settled()
    sendings = host.requests
    return Seen(replace(outcome, after=await _after(transport, url, host)), sendings)


async def _after(transport: httpx.AsyncBaseTransport, url: str, host: Host) -> After:
    """What the next call does with the connection."""
    if await ask(transport, url) != _WELL:
        return "poisoned"
    if host.kept:
        return "kept"
    # The server sees the end of it although the transport is still open.
    await asyncio.wait_for(host.ended.wait(), SECONDS)
    return "closed"


async def _ask_another(transport: httpx.AsyncBaseTransport) -> None:
    async with scripted(answering(HELLO)) as good:
        assert await ask(transport, good.url) == _WELL
