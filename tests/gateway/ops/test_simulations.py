"""Simulations run one after the other in a child process, which ends with their request."""

import asyncio
from pathlib import Path

import httpx
import pytest

from gateway.ops.ops_scopes import READ
from gateway.ops.simulations import MAX_WAITING_PER_OPERATOR
from gateway.ratelimit.policy import RateLimit
from gateway.ratelimit.policy_in_force import PolicyInForce
from gateway.ratelimit.simulation.reproduction import CannotSimulate
from gateway.ratelimit.simulation.run_in_child import run_in_child
from gateway.ratelimit.simulation.task import SimulationTask
from tests.gateway.ops.ops_server import OpsServer

SIMULATE = "/limits/dashboards/simulate"


def count_children() -> int:
    """Return how many simulations run under this process."""
    lists = [it.read_text() for it in Path("/proc/self/task").glob("*/children")]
    commands = [Path(f"/proc/{pid}/cmdline").read_bytes() for it in lists for pid in it.split()]
    return sum(b"simulation.child" in it for it in commands)


async def wait_for_children(count: int) -> None:
    async with asyncio.timeout(20):
        while count_children() != count:  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.005)


async def test_an_aborted_request_ends_its_simulation(
    ops: OpsServer, operator: httpx.AsyncClient
) -> None:
    await ops.send_requests("42", 10)
    request = asyncio.create_task(operator.post(SIMULATE, json={"rate": "5/minute"}))
    await wait_for_children(1)
    request.cancel()
    await wait_for_children(0)
    assert (await operator.post(SIMULATE, json={"rate": "5/minute"})).status_code == 200


async def test_operators_who_simulate_at_once_wait_for_each_other(
    ops: OpsServer, operator: httpx.AsyncClient
) -> None:
    await ops.send_requests("42", 10)
    rates = {"5/minute": 5, "7/minute": 3}
    responses = await asyncio.gather(
        *(operator.post(SIMULATE, json={"rate": rate}) for rate in rates)
    )
    assert [it.json()["effect"]["newly_refused"] for it in responses] == list(rates.values())


async def test_simulations_that_wait_are_bounded_and_leave_with_their_request(
    ops: OpsServer, operator: httpx.AsyncClient
) -> None:
    await ops.send_requests("42", 10)
    requests = [
        asyncio.create_task(operator.post(SIMULATE, json={"rate": "5/minute"}))
        for _ in range(MAX_WAITING_PER_OPERATOR + 1)
    ]
    done, waiting = await asyncio.wait(requests, return_when=asyncio.FIRST_COMPLETED)
    [refused] = [it.result() for it in done]
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    other = {"Authorization": f"Bearer {ops.token(READ, subject='other')}"}
    simulated = await operator.post(SIMULATE, json={"rate": "5/minute"}, headers=other)
    assert simulated.status_code == 200, simulated.text
    for it in waiting:
        it.cancel()
    async with asyncio.timeout(20):
        while (await operator.post(SIMULATE, json={"rate": "5/minute"})).status_code == 503:  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.05)


async def test_a_simulation_is_bounded_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.ratelimit.simulation.run_in_child.MAX_SECONDS", 0)
    with pytest.raises(CannotSimulate, match="takes more than 0 s"):
        await run_in_child(SimulationTask({}, {}, {}))
    assert count_children() == 0


async def test_a_recording_of_another_version_is_named() -> None:
    declared = RateLimit(
        "p", "1/second", tiers={"a": "2/second"}, tier_claim="plan", cost=lambda _: 1
    )
    policy = PolicyInForce(declared)
    outcome = await run_in_child(SimulationTask({"process 1": b"{}"}, {"p": policy}, {}))
    assert outcome.failure == "no request has been recorded yet"
    assert outcome.unreadable == ["process 1"]
