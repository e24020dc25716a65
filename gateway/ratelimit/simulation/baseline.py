"""The decisions that proposed policies are compared with: those of the policies in force.

As long as a policy stays as it is, these are the recorded decisions. After a change they are
simulated, too: an operator asks for the difference to now, not for that to an hour ago.
"""

from collections.abc import Mapping
from typing import Protocol

from gateway.ratelimit.policy_in_force import Block, PolicyInForce
from gateway.ratelimit.recording.events import (
    RecordedKey,
    RecordedLease,
    RecordedRequest,
    RecordedSettlement,
)
from gateway.ratelimit.recording.timeline import Timeline
from gateway.ratelimit.rule import MICROSECONDS, Rule
from gateway.ratelimit.simulation.reproduction import Reproduction
from gateway.ratelimit.simulation.simulated_counts import SimulatedCounts, SimulatedDecision


class Baseline(Protocol):
    """Decides the requests of a recording as they would be decided without the proposal."""

    def forget(self, key: str) -> None:
        """Take note that the counts of a key have changed unseen."""

    def correct(self, event: RecordedSettlement | RecordedLease) -> None:
        """Take note of a change of one key."""

    def decide(self, request: RecordedRequest) -> SimulatedDecision:
        """Decide a request."""


class RecordedDecisions:
    """The decisions as they were recorded, whatever the counts are."""

    def forget(self, key: str) -> None:
        """Do nothing."""

    def correct(self, event: RecordedSettlement | RecordedLease) -> None:
        """Do nothing."""

    def decide(self, request: RecordedRequest) -> SimulatedDecision:
        """Return the recorded decision."""
        return SimulatedDecision({it.key.policy for it in request.decisions if it.refuses})


def create_baseline(
    in_force: Mapping[str, PolicyInForce], reproduction: Reproduction, timeline: Timeline
) -> Baseline:
    """Return the recorded decisions, or simulated ones if a policy was another one meanwhile."""
    if has_changed(in_force, timeline):
        return SimulatedCounts(in_force, reproduction, timeline)
    return RecordedDecisions()


def has_changed(in_force: Mapping[str, PolicyInForce], timeline: Timeline) -> bool:
    """Whether a request was decided by other rules than those of the policies in force."""
    now = (timeline.end + timeline.to_epoch) / MICROSECONDS
    return any(
        key.policy in in_force and not _has_rules(key, in_force[key.policy], now)
        for recording in timeline.recordings
        for segment in recording.segments
        for key in segment.list_decided_keys()
    )


def _has_rules(key: RecordedKey, in_force: PolicyInForce, now: float) -> bool:
    rules = in_force.find_rules(key.partition, key.tier, now)
    if isinstance(rules, Block):
        return key.rules == (() if rules.shadow else None)
    return key.rules is not None and list(map(_get_numbers, rules)) == list(
        map(_get_numbers, key.rules)
    )


def _get_numbers(rule: Rule) -> tuple[object, ...]:
    """Return what decides: a file has no `without_redis`."""
    fields = (rule.label, rule.algorithm, rule.quota, rule.window)
    return (*fields, rule.burst, rule.shadow, rule.prefetch)
