"""`lockgate limits simulate`: the effect of a change that is not made."""

import json

from tests.gateway.cli.limits.conftest import Ops


def test_the_effect_is_printed(ops: Ops) -> None:
    ops.send_requests("42", 100)
    output = ops.print("simulate", "dashboards", "60/minute")
    assert "newly refused   40 (40.0%)" in output
    assert "refused in all  0 -> 40" in output
    assert output.endswith("Counts go on: each caller keeps what it has used.\n")
    found = json.loads(ops.print("simulate", "dashboards", "--json"))
    assert found["reproduced"] is True
    assert found["effect"]["newly_refused"] == 0
    assert ops.get().version == 0


def test_the_rest_of_the_live_document_stays(ops: Ops) -> None:
    """With its overrides: the caller of one is not refused."""
    override = ("override", "dashboards", "user:42", "--times", "2", "--reason", "a", "--yes")
    ops.print(*override)
    ops.send_requests("42", 100)
    assert "newly refused   0" in ops.print("simulate", "dashboards", "60/minute")
    assert "newly refused   80" in ops.print("simulate", "dashboards", "10/minute")
    output = ops.print("simulate", "dashboards", "10/minute", "--shadow", "on")
    assert "newly refused   0" in output
    assert "80 more would be refused without shadow" in output


def test_a_tier_needs_a_rate(ops: Ops) -> None:
    status, _, errors = ops.run("simulate", "dashboards", "--tier", "pro")
    assert (status, errors) == (2, "lockgate: --tier needs the RATE of the tier\n")
