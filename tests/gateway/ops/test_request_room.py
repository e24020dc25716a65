"""A token for reading, however it is used, keeps no operator from a change."""

import asyncio
from contextlib import AsyncExitStack, closing

import httpx
import pytest

from gateway.ops import simulations
from gateway.ops.ops_scopes import READ
from gateway.ops.request_room import MAX_CHANGES, MAX_READS
from tests.gateway.ops.ops_server import OpsServer

HEAD = """{method} {path} HTTP/1.1\r
Host: localhost\r
Authorization: Bearer {token}\r
If-Match: "0"\r
Content-Type: application/json\r
Content-Length: 1000\r
\r
{{"""


async def begin_request(
    stack: AsyncExitStack, ops: OpsServer, method: str, path: str
) -> asyncio.StreamReader:
    """Send a request whose body never ends."""
    url = httpx.URL(ops.url)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    stack.enter_context(closing(writer))
    head = HEAD.format(method=method, path=path, token=ops.token(READ))
    writer.write(head.encode())
    return reader


async def test_a_token_for_reading_leaves_room_for_changes(
    ops: OpsServer, operator: httpx.AsyncClient
) -> None:
    simulate, change = "/limits/dashboards/simulate", "/limits/dashboards"
    async with AsyncExitStack() as stack:
        for _ in range(MAX_READS):
            await begin_request(stack, ops, "POST", simulate)
        for _ in range(MAX_CHANGES + 1):
            refused = await begin_request(stack, ops, "PUT", change)
            assert b" 403 " in await refused.readline()
        async with asyncio.timeout(10):
            while (await operator.get("/limits")).status_code != 503:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        body = {"rate": "1/minute", "reason": "load"}
        changed = await operator.patch(change, json=body, headers={"If-Match": '"0"'})
        assert changed.status_code == 200
        rolled = await operator.post(
            f"{change}/rollback", json={"version": 0, "reason": "back"}, headers={"If-Match": '"1"'}
        )
        assert rolled.status_code == 200
        reset = await operator.delete(f"{change}/callers/user:42", params={"reason": "test"})
        assert reset.status_code == 204


async def test_the_latest_simulation_of_a_policy_wins(
    ops: OpsServer, operator: httpx.AsyncClient
) -> None:
    await ops.send_requests("42", 100)
    sent = [operator.post("/limits/dashboards/simulate", json={}) for _ in range(20)]
    found = sorted(it.status_code for it in await asyncio.gather(*sent))
    assert found == [200, *[409] * 19]


async def test_simulations_that_would_wait_long_are_refused(
    ops: OpsServer, operator: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulations, "MAX_WAITING", 1)
    await ops.send_requests("42", 100)
    names = ["dashboards", "chats"]
    sent = [operator.post(f"/limits/{name}/simulate", json={}) for name in names]
    found = await asyncio.gather(*sent)
    assert sorted(it.status_code for it in found) == [200, 503]
    refused = next(it for it in found if it.status_code == 503)
    assert refused.headers["retry-after"] == "1"
    assert refused.json()["title"] == "Simulations busy"
    again = await operator.post("/limits/dashboards/simulate", json={})
    assert again.status_code == 200
