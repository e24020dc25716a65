"""`simulate`: what proposed policies would have done with the recorded requests."""

from collections import Counter
from collections.abc import Mapping, Sequence

from gateway.ratelimit.policy_in_force import PolicyInForce
from gateway.ratelimit.recording.events import RecordedDecision, RecordedGap, RecordedRequest
from gateway.ratelimit.recording.recording import Recording
from gateway.ratelimit.recording.timeline import Timeline, build_timelines
from gateway.ratelimit.rule import MICROSECONDS
from gateway.ratelimit.simulation.effect import Coverage, Effect, OwnEffect, Simulation
from gateway.ratelimit.simulation.reproduction import CannotSimulate, Reproduction
from gateway.ratelimit.simulation.simulated_counts import SimulatedCounts, SimulatedDecision

WITHOUT_REDIS = "decided without the shared counts"
UNKNOWN_COUNTS = "the counts of the key were not known yet"


def simulate(recordings: Sequence[Recording], proposed: Mapping[str, PolicyInForce]) -> Simulation:
    """Replay recorded requests with the rules in force and with the proposed policies, by name.

    200,000 rows take about five seconds, so it is for a process without traffic.

    Raises:
        CannotReproduce: the rules in force do not give the recorded decisions.
        CannotSimulate: nothing was recorded.
    """
    run = _Run(recordings, proposed)
    run.replay_all()
    return run.finish()


class _Run:
    """One simulation."""

    def __init__(
        self, recordings: Sequence[Recording], proposed: Mapping[str, PolicyInForce]
    ) -> None:
        self._processes = [recording.process for recording in recordings]
        self._proposed = proposed
        self._timelines = build_timelines(recordings)
        self._effects = {name: Effect() for name in proposed}
        self._left_out = Counter[str]()
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
        counts = SimulatedCounts(self._proposed, reproduction, timeline)
        for event in timeline.iterate():
            if isinstance(event, RecordedGap):
                reproduction.pass_gap(event)
                if event.requests:
                    self._left_out[WITHOUT_REDIS] += event.requests
            elif isinstance(event, RecordedRequest):
                for key in reproduction.load(event):
                    counts.forget(key)
                self._add(event, counts)
                reproduction.check(event)
            else:
                counts.correct(event)
                reproduction.correct(event)
        self._guessed += counts.durations.guessed
        self._prefetching |= counts.prefetching

    def _add(self, request: RecordedRequest, counts: SimulatedCounts) -> None:
        """Decide a request with the proposed policies, and count the effect."""
        decision = counts.decide(request)
        if not decision.is_known:
            self._left_out[UNKNOWN_COUNTS] += 1
            return
        self._requests += 1
        self._newly_refused += request.admitted and not decision.admitted
        self._newly_admitted += decision.admitted and not request.admitted
        for recorded in request.decisions:
            key = recorded.key
            self._keys.add(key.partition)
            effect = self._effects.get(key.policy)
            if effect is not None:
                effect.add(key.partition, before=request.admitted, after=decision.admitted)
                _add_own(effect.own, request, recorded, decision)
                effect.shadow_refused += key.policy in decision.shadow_refused_by
                effect.restarts_counts |= key.policy in counts.restarted

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
    own: OwnEffect,
    request: RecordedRequest,
    recorded: RecordedDecision,
    decision: SimulatedDecision,
) -> None:
    """Count a request for the policy of one decision, by what that policy itself refuses."""
    before, after = recorded.refuses, recorded.key.policy in decision.refused_by
    own.refused_before += before
    own.refused_after += after
    own.newly_refused += after and request.admitted
    own.newly_admitted += before and decision.admitted
