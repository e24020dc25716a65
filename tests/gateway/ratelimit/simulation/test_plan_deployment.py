"""`plan` accepts policies that newly refuse few of the recorded requests."""

import asyncio

import pytest

from gateway.ratelimit.policy import RateLimit
from gateway.ratelimit.policy_in_force import PolicyInForce
from gateway.ratelimit.recording.export_file import export_recordings
from gateway.ratelimit.recording.import_file import import_recordings
from gateway.ratelimit.simulation.plan_deployment import plan
from gateway.ratelimit.simulation.reproduction import CannotSimulate
from tests.gateway.ratelimit.recording.traffic import VERSIONS, Request, record_in_memory


def test_the_number_of_newly_refused_requests_decides() -> None:
    traffic = record_in_memory()
    demands = (("bucketed", "user:a", None, 1), ("windows", "user:b", None, 0))
    asyncio.run(traffic.run([Request(1_000, 0, demands) for _ in range(50)]))
    recordings = import_recordings(b"".join(export_recordings(traffic.snapshots())))
    policies = {
        "bucketed": PolicyInForce(RateLimit("bucketed", "40/10seconds")),
        "unused": PolicyInForce(RateLimit("unused", "1/minute")),
    }
    accepted = plan(recordings, policies, max_newly_refused=10)
    assert accepted.simulation.newly_refused == 10
    assert accepted.is_accepted
    assert not plan(recordings, policies, max_newly_refused=9).is_accepted
    assert accepted.simulation.effects["unused"].requests == 0


def test_only_the_policy_that_refuses_is_to_blame() -> None:
    traffic = record_in_memory()
    demands = (("bucketed", "user:a", None, 1), ("shadow", "user:a", None, 1))
    asyncio.run(traffic.run([Request(1_000, 0, demands) for _ in range(50)]))
    policies = {
        "bucketed": PolicyInForce(RateLimit("bucketed", "40/10seconds")),
        "shadow": PolicyInForce(VERSIONS["shadow"][0]),
    }
    simulation = plan(traffic.snapshots(), policies, max_newly_refused=0).simulation
    assert simulation.newly_refused == 10
    refused = {name: effect.own.refused_after for name, effect in simulation.effects.items()}
    newly = {name: effect.own.newly_refused for name, effect in simulation.effects.items()}
    assert refused == newly == {"bucketed": 10, "shadow": 0}


def test_nothing_recorded_is_no_plan() -> None:
    with pytest.raises(CannotSimulate, match="no request has been recorded yet"):
        plan([], {}, max_newly_refused=0)
