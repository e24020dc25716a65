"""A token for reading, however it is used, keeps no operator from a change."""

import asyncio
from contextlib import AsyncExitStack, closing

import httpx
import pytest

from gateway.ops import simulations
from gateway.ops.operator_room import MAX_BODIES, MAX_PER_TOKEN
from gateway.ops.ops_scopes import READ, WRITE
from gateway.ops.request_room import MAX_READS
from tests.gateway.ops.ops_server import OpsServer

HEAD = """{method} {path} HTTP/1.1\r
Host: localhost\r
Authorization: Bearer {token}\r
If-Match: "0"\r
Content-Type: application/json\r
Content-Length: 1000\r
\r
{{"""


SIMULATE, CHANGE = "/limits/dashboards/simulate", "/limits/dashboards"


async def begin_request(
    stack: AsyncExitStack, ops: OpsServer, method: str, path: str, token: str
) -> asyncio.StreamReader:
    """Send a request whose body never ends."""
    url = httpx.URL(ops.url)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    stack.enter_context(closing(writer))
    writer.write(HEAD.format(method=method, path=path, token=token).encode())
    return reader


async def test_a_token_for_reading_leaves_room_for_changes(
    ops: OpsServer, operator: httpx.AsyncClient
) -> None:
    operators = [ops.token(READ, subject=f"operator {it}") for it in range(MAX_READS // MAX_BODIES)]
    async with AsyncExitStack() as stack:
        for token in operators * MAX_BODIES:
            await begin_request(stack, ops, "POST", SIMULATE, token)
        for token in operators * 4:
            refused = await begin_request(stack, ops, "PUT", CHANGE, token)
            assert b" 403 " in await refused.readline()
        async with asyncio.timeout(10):
            while (await operator.get("/limits")).status_code != 503:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        body = {"rate": "1/minute", "reason": "load"}
        changed = await operator.patch(CHANGE, json=body, headers={"If-Match": '"0"'})
        assert changed.status_code == 200
        rolled = await operator.post(
            f"{CHANGE}/rollback", json={"version": 0, "reason": "back"}, headers={"If-Match": '"1"'}
        )
        assert rolled.status_code == 200
        reset = await operator.delete(f"{CHANGE}/callers/user:42", params={"reason": "test"})
        assert reset.status_code == 204


@pytest.mark.parametrize(
    ("method", "path", "scope"), [("POST", SIMULATE, READ), ("PUT", CHANGE, WRITE)]
)
async def test_an_operator_with_unfinished_bodies_leaves_room_for_others(
    ops: OpsServer, operator: httpx.AsyncClient, method: str, path: str, scope: str
) -> None:
    # An operator may have several tokens.
    tokens = [ops.token(READ, scope, subject="slow") for _ in range(4)]
    async with AsyncExitStack() as stack:
        readers = [
            await begin_request(stack, ops, method, path, token) for token in tokens * MAX_PER_TOKEN
        ]
        lines = [asyncio.create_task(it.readline()) for it in readers]
        async with asyncio.timeout(10):
            while sum(it.done() for it in lines) < len(lines) - MAX_BODIES:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        refused = [it.result() for it in lines if it.done()]
        assert all(b" 503 " in it for it in refused)
        assert (await operator.get("/limits")).status_code == 200
        assert (await operator.post(SIMULATE, json={})).status_code == 409  # nothing is recorded
        changed = await operator.patch(
            CHANGE, json={"rate": "1/minute", "reason": "x"}, headers={"If-Match": '"0"'}
        )
        assert changed.status_code == 200
        for it in lines:
            it.cancel()


@pytest.mark.parametrize("bound", ["MAX_WAITING", "MAX_WAITING_PER_OPERATOR"])
async def test_simulations_that_would_wait_long_are_refused(
    ops: OpsServer, operator: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    monkeypatch.setattr(simulations, bound, 1)
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
