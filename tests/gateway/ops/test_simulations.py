"""Simulations run one after the other in a child process, which ends with their request."""

import asyncio
from pathlib import Path

import httpx
import pytest

from gateway.fakes.identity_endpoints import ISSUER
from gateway.open_clients import OpenServices
from gateway.ops.caller_keys import CallerKeys
from gateway.ops.limit_store import LimitStore
from gateway.ops.models import Proposal
from gateway.ops.ops_scopes import READ
from gateway.ops.simulation_process import run_in_child
from gateway.ops.simulations import Asker, Simulations
from gateway.ops.traffic import OwnTraffic
from gateway.ratelimit.live.live_limits import LiveLimits
from gateway.ratelimit.policy import RateLimit
from gateway.ratelimit.policy_in_force import PolicyInForce
from gateway.ratelimit.recording.recorder import Recorder
from gateway.ratelimit.simulation.reproduction import CannotSimulate
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


async def test_a_later_request_of_the_same_operator_replaces_the_one_before(
    ops: OpsServer, operator: httpx.AsyncClient
) -> None:
    await ops.send_requests("42", 10)
    first = asyncio.create_task(operator.post(SIMULATE, json={"rate": "5/minute"}))
    await wait_for_children(1)
    second = await operator.post(SIMULATE, json={"rate": "7/minute"})
    assert second.json()["effect"]["newly_refused"] == 3
    replaced = await first
    assert replaced.status_code == 409
    assert replaced.json()["type"] == "urn:lockgate:problem:simulation-replaced"
    assert "another simulation of dashboards" in replaced.json()["detail"]


async def test_operators_and_programs_do_not_replace_each_other(
    ops: OpsServer, operator: httpx.AsyncClient
) -> None:
    await ops.send_requests("42", 10)
    other = {"Authorization": f"Bearer {ops.token(READ, subject='other')}"}
    program = {"User-Agent": "console"}
    sent = [
        operator.post(SIMULATE, json={"rate": f"{rate}/minute"}, headers=headers)
        for rate, headers in ((5, {}), (6, other), (7, program))
    ]
    found = [it.json()["effect"]["newly_refused"] for it in await asyncio.gather(*sent)]
    assert found == [5, 4, 3]


async def test_a_cancelled_request_that_was_replaced_stays_cancelled(ops: OpsServer) -> None:
    await ops.send_requests("42", 10)
    live, recorder, services = (ops.gateway[it] for it in (LiveLimits, Recorder, OpenServices))
    store = LimitStore(live, CallerKeys([ISSUER], None))
    simulations = Simulations(store, OwnTraffic(recorder, services))
    asker = Asker("operator", "console")
    first = asyncio.create_task(simulations.simulate("dashboards", Proposal(), asker))
    await wait_for_children(1)
    second = asyncio.create_task(simulations.simulate("dashboards", Proposal(), asker))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert (await second).policy == "dashboards"


async def test_a_simulation_is_bounded_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.ops.simulation_process.MAX_SECONDS", 0)
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
