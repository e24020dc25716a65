"""`lockgate limits simulate`: the effect of a change that is not made."""

import json
from typing import Any

import pytest

from gateway.ops.interfaces import Traffic
from gateway.ops.models import Proposal
from tests.gateway.cli.limits.conftest import Ops
from tests.gateway.ops.memory_sources import MemoryTraffic


@pytest.fixture
def proposed(ops: Ops, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What was proposed, in the order of the simulations."""
    found = list[dict[str, Any]]()
    traffic: MemoryTraffic = ops.server.resources[Traffic]
    simulate = traffic.simulate

    async def record(policy: str, proposal: Proposal) -> Any:
        found.append(proposal.model_dump(mode="json", exclude_unset=True))
        return await simulate(policy, proposal)

    monkeypatch.setattr(traffic, "simulate", record)
    return found


def test_the_effect_is_printed(ops: Ops) -> None:
    output = ops.print("simulate", "dashboards", "60/minute")
    assert "newly refused   40 (4.0%)" in output
    assert "newly admitted  0 (0.0%)" in output
    assert "refused in all  5 -> 45" in output
    assert "Accuracy: exact for the recorded requests" in output
    assert output.endswith("Counts go on: each caller keeps what it has used.\n")
    assert json.loads(ops.print("simulate", "dashboards", "--json"))["reproduced"] is True
    assert ops.store.get("dashboards").version == 0


def test_the_whole_document_is_proposed(ops: Ops, proposed: list[dict[str, Any]]) -> None:
    """The other fields of the live document, and the overrides, without the name of the caller."""
    override = {"kind": "times", "times": 5.0, "reason": "a"}
    live = {"burst": 7, "overrides": {"user:9f2c": {**override, "caller": "user 42"}}}
    ops.store._versions["dashboards"].append(live)
    ops.print("simulate", "dashboards", "60/minute", "--shadow", "on")
    document = {"burst": 7, "overrides": {"user:9f2c": override}}
    assert proposed == [document | {"rate": "60/minute", "shadow": True}]


def test_a_tier_needs_a_rate(ops: Ops) -> None:
    status, _, errors = ops.run("simulate", "dashboards", "--tier", "pro")
    assert (status, errors) == (2, "lockgate: --tier needs the RATE of the tier\n")
