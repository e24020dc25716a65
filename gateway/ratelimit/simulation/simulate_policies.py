"""`simulate`: what proposed policies would have done with the recorded requests."""

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from gateway.ratelimit.policy_in_force import PolicyInForce
from gateway.ratelimit.recording.events import RecordedGap, RecordedRequest
from gateway.ratelimit.recording.recording import Recording
from gateway.ratelimit.recording.timeline import Timeline, build_timelines
from gateway.ratelimit.rule import MICROSECONDS
from gateway.ratelimit.simulation.baseline import create_baseline
from gateway.ratelimit.simulation.effect import Coverage, Effect, OwnEffect, Simulation
from gateway.ratelimit.simulation.reproduction import CannotSimulate, Reproduction
from gateway.ratelimit.simulation.simulated_counts import SimulatedCounts, SimulatedDecision

WITHOUT_REDIS = "decided without the shared counts"
UNKNOWN_COUNTS = "the counts of the key were not known yet"


def simulate(
    recordings: Sequence[Recording],
    proposed: Mapping[str, PolicyInForce],
    in_force: Mapping[str, PolicyInForce] = MappingProxyType({}),
) -> Simulation:
    """Replay recorded requests as they were decided, and with the proposed policies, by name.

    The effect is the difference between the proposed policies and those `in_force`. A policy that
    has not changed since the first recorded request, or is not in `in_force`, is compared with the
    recorded decisions. 200,000 rows take about five seconds, so it is for a process of its own.

    Raises:
        CannotReproduce: the rules in force do not give the recorded decisions.
        CannotSimulate: nothing was recorded.
    """
    run = _Run(recordings, proposed, in_force)
    run.replay_all()
    return run.finish()


class _Run:
    """One simulation."""

    def __init__(
        self,
        recordings: Sequence[Recording],
        proposed: Mapping[str, PolicyInForce],
        in_force: Mapping[str, PolicyInForce],
    ) -> None:
        self._in_force = in_force
        self._processes = [recording.process for recording in recordings]
        self._proposed = proposed
        self._timelines = build_timelines(recordings)
        self._effects = {name: Effect() for name in proposed}
        self._left_out = Counter[str]()
        self._has_changed = False
        self._guessed = self._requests = self._newly_refused = self._newly_admitted = 0
        self._keys, self._prefetching = set[str](), set[str]()

    def replay_all(self) -> None:
        """Replay all requests.

        Raises:
            CannotReproduce, CannotSimulate: see `simulate`.
        """
        for timeline in self._timelines:
            self._replay(timeline)

    def finish(self) -> Simulation:
        """Return the result.

        Raises:
            CannotSimulate: no request was replayed.
        """
        if not self._requests:
            raise CannotSimulate(self._explain_absence())
        begin = min(it.begin + it.to_epoch for it in self._timelines) / MICROSECONDS
        end = max(it.end + it.to_epoch for it in self._timelines) / MICROSECONDS
        covers = Coverage(
            begin, end, self._requests, len(self._keys), self._processes, dict(self._left_out)
        )
        return Simulation(
            self._effects,
            self._newly_refused,
            self._newly_admitted,
            covers,
            self._describe_accuracy(),
        )

    def _replay(self, timeline: Timeline) -> None:
        reproduction = Reproduction(timeline)
        before = create_baseline(self._in_force, reproduction, timeline)
        after = SimulatedCounts(self._proposed, reproduction, timeline)
        for event in timeline.iterate():
            if isinstance(event, RecordedGap):
                reproduction.pass_gap(event)
                if event.requests:
                    self._left_out[WITHOUT_REDIS] += event.requests
            elif isinstance(event, RecordedRequest):
                for key in reproduction.load(event):
                    before.forget(key)
                    after.forget(key)
                self._add(event, before.decide(event), after.decide(event))
                reproduction.check(event)
            else:
                before.correct(event)
                after.correct(event)
                reproduction.correct(event)
        self._guessed += after.durations.guessed
        self._prefetching |= after.prefetching
        self._has_changed |= isinstance(before, SimulatedCounts)
        for name in after.restarted & self._effects.keys():
            self._effects[name].restarts_counts = True

    def _add(
        self, request: RecordedRequest, before: SimulatedDecision, after: SimulatedDecision
    ) -> None:
        """Count the effect on a request, as it is decided before and after the proposal."""
        if not before.is_known or not after.is_known:
            self._left_out[UNKNOWN_COUNTS] += 1
            return
        self._requests += 1
        self._newly_refused += before.admitted and not after.admitted
        self._newly_admitted += after.admitted and not before.admitted
        for recorded in request.decisions:
            key = recorded.key
            self._keys.add(key.partition)
            effect = self._effects.get(key.policy)
            if effect is not None:
                effect.add(key.partition, before=before.admitted, after=after.admitted)
                _add_own(effect.own, key.policy, before, after)
                effect.shadow_refused += key.policy in after.shadow_refused_by

    def _explain_absence(self) -> str:
        if self._left_out:
            reasons = ", ".join(f"{reason}: {count}" for reason, count in self._left_out.items())
            return f"no recorded request can be replayed yet ({reasons})"
        return "no request has been recorded yet"

    def _describe_accuracy(self) -> str:
        """State what the result assumes."""
        reproduced = (
            f"The rules in force reproduce all decisions of {self._requests} recorded requests, "
            "under all policies."
        )
        sentences = [
            reproduced,
            "The effect assumes that callers send the same requests at the same times.",
        ]
        if self._has_changed:
            sentences.append(
                "The values in force have changed meanwhile, so these requests are simulated with "
                "the values of now, too."
            )
        restarted = [name for name, effect in self._effects.items() if effect.restarts_counts]
        if restarted:
            names = ", ".join(sorted(restarted))
            sentences.append(f"Counts begin with nothing used, as when it is applied: {names}.")
        if self._prefetching:
            names = ", ".join(sorted(self._prefetching))
            sentences.append(
                "Requests are counted one by one; some more are refused under policies with a "
                f"prefetch: {names}."
            )
        if self._guessed:
            sentences.append(
                f"{self._guessed} requests that are newly admitted are assumed to last as long as "
                "the others, on average."
            )
        return " ".join(sentences)


def _add_own(
    own: OwnEffect, policy: str, before: SimulatedDecision, after: SimulatedDecision
) -> None:
    """Count a request for one policy, by what that policy itself refuses."""
    was_refused, is_refused = policy in before.refused_by, policy in after.refused_by
    own.refused_before += was_refused
    own.refused_after += is_refused
    own.newly_refused += is_refused and before.admitted
    own.newly_admitted += was_refused and after.admitted
