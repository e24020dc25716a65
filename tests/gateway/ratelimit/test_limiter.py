"""The charges and the verdict of a check are complete when created, and never written later."""

from dataclasses import fields
from typing import Final, get_origin

import pytest

from gateway.ratelimit.limiter import Charge, Settlement, Standing, Verdict
from gateway.ratelimit.limits import Demand
from tests.gateway.ratelimit.charges import charge


@pytest.mark.parametrize("value", [Charge, Standing, Verdict, Demand])
def test_mypy_refuses_to_write_any_field_of_a_value_that_every_request_creates(value: type) -> None:
    """The type check fails, with an unused `type: ignore`, if mypy lets one of these pass."""
    assert [it.name for it in fields(value) if get_origin(it.type) is not Final] == []

    def write(charge: Charge, standing: Standing, verdict: Verdict, demand: Demand) -> None:
        charge.lease_id = "other"  # type: ignore[misc]
        standing.remaining -= 1  # type: ignore[misc]
        verdict.is_remembered = True  # type: ignore[misc]
        demand.cost += 1  # type: ignore[misc]


def test_a_settlement_is_frozen() -> None:
    assert Settlement.__dataclass_params__.frozen  # type: ignore[attr-defined]


def test_a_charge_gives_no_quota_back() -> None:
    with pytest.raises(ValueError, match="policy policy: cost is -1; it must be at least 0"):
        charge(5, cost=-1)
