"""Runs a case against a transport and observes the outcome, including that of the next call."""

import asyncio
import ssl
from dataclasses import dataclass, replace

import httpx

from tests.gateway.transport.scripted_server import HELLO, respond_with, serve_script
from tests.torture.case import GET, Call, Case, ConnectionFate, Outcome
from tests.torture.case_server import CaseServer, run_pending_io

# How long an event that must happen may take, in seconds.
EVENT_TIMEOUT = 5.0

_SUCCESS = Outcome(status=200, body=b"hello")


@dataclass(frozen=True, slots=True)
class Observation:
    """The outcome of a case, and how many requests the server received."""

    outcome: Outcome
    request_count: int


async def send_request(transport: httpx.AsyncBaseTransport, url: str, call: Call = GET) -> Outcome:
    """Send one request and read the whole response."""
    # A busy machine may need longer than a short timeout to connect.
    timeout = dict.fromkeys(("read", "write"), call.timeout)
    timeout |= dict.fromkeys(("connect", "pool"), max(call.timeout, EVENT_TIMEOUT))
    request = httpx.Request(call.method, url, content=call.content, extensions={"timeout": timeout})
    try:
        response = await transport.handle_async_request(request)
        body = await response.aread()
    except (httpx.TransportError, ssl.SSLError) as exc:
        return Outcome(type(exc))
    return Outcome(status=response.status_code, body=body)


async def run_case(
    transport: httpx.AsyncBaseTransport, case: Case, tls: ssl.SSLContext | None = None
) -> Observation:
    """Run `case` against a server with the TLS context `tls`, then close the transport."""
    case_server = CaseServer(case)
    async with serve_script(case_server, tls=tls) as server:
        async with transport:
            observation = await _observe(transport, case_server, server.url)
        await asyncio.wait_for(server.wait_done(), EVENT_TIMEOUT)
    return observation


async def _observe(
    transport: httpx.AsyncBaseTransport, server: CaseServer, url: str
) -> Observation:
    call = server.case.call
    if call.scheme:
        url = f"{call.scheme}:{url.partition(':')[2]}"
    if call.warm:
        assert await send_request(transport, url) == _SUCCESS
    outcome = await asyncio.wait_for(send_request(transport, url, call), 2 * EVENT_TIMEOUT)
    if outcome.error is httpx.ConnectError or call.scheme:
        await _check_transport_still_works(transport)
        return Observation(outcome, server.requests)
    await asyncio.wait_for(server.script_done.wait(), EVENT_TIMEOUT)
    await run_pending_io()
    request_count = server.requests
    fate = await _probe_connection(transport, url, server)
    return Observation(replace(outcome, connection=fate), request_count)


async def _probe_connection(
    transport: httpx.AsyncBaseTransport, url: str, server: CaseServer
) -> ConnectionFate:
    """Send the next request, and find out what happened to the connection of the first."""
    if await send_request(transport, url) != _SUCCESS:
        return "poisoned"
    if server.connection_reused:
        return "reused"
    # The transport is still open, so the server sees this end only if the client closed it.
    await asyncio.wait_for(server.connection_ended.wait(), EVENT_TIMEOUT)
    return "closed"


async def _check_transport_still_works(transport: httpx.AsyncBaseTransport) -> None:
    async with serve_script(respond_with(HELLO)) as server:
        assert await send_request(transport, server.url) == _SUCCESS
