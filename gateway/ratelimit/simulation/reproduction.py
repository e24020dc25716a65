"""`Reproduction`: replays a recording with the recorded rules, and compares every decision.

It calculates with the states of `gateway/ratelimit/algorithms`, as the memory limiter does and as
the script in Redis does.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.ratelimit.algorithms.concurrency import ConcurrencyState
from gateway.ratelimit.algorithms.limit_state import STATE_TYPES, LimitState
from gateway.ratelimit.limiter import State
from gateway.ratelimit.recording.events import (
    RecordedDecision,
    RecordedGap,
    RecordedKey,
    RecordedLease,
    RecordedRequest,
    RecordedSettlement,
)
from gateway.ratelimit.recording.timeline import Timeline
from gateway.ratelimit.rule import Rule
from gateway.ratelimit.simulation.corrections import name_lease, settle, update_lease


@dataclass(frozen=True, slots=True)
class Difference:
    """The first decision that the replay does not reproduce; `now` is as in the recording."""

    now: int
    policy: str
    partition: str
    label: str
    recorded: str
    replayed: str

    def __str__(self) -> str:
        """Describe the difference."""
        return (
            f"policy {self.policy}, key {self.partition}, rule {self.label}: recorded "
            f"{self.recorded}, replayed {self.replayed}"
        )


class CannotSimulate(Exception):
    """There is no answer; the message has the reason."""


class CannotReproduce(CannotSimulate):
    """The replay of the rules in force decides otherwise than the gateway did."""

    def __init__(self, difference: Difference) -> None:
        super().__init__(
            f"the replay does not reproduce the recorded decisions: {difference}. Either the "
            "recording of a process is missing, or it is not as the gateway wrote it"
        )
        self.difference = difference


def load_state(state: State, rule: Rule) -> LimitState:
    """Return the counts of a key from a recorded state.

    Raises:
        ValueError: it is no state of the algorithm of the rule.
    """
    return STATE_TYPES[rule.algorithm].load(state, rule)


class Reproduction:
    """The counts of all keys as the recorded decisions changed them.

    For each request, call `load` and then `check`. Between the two, `find` has the counts before
    the decision.
    """

    # Invariants:
    # - `_states` has the counts of the keys that are known: from the first recorded state on, until
    #   a gap.
    # - `_names` has the keys of `_states` by the beginning of the key, with its partition.
    # - `_gaps` has the latest end of the gaps of each prefix. A state that was recorded inside one
    #   is not used. A prefix is empty, that of a partition, that of a policy in it, or a key.

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._states: dict[str, LimitState] = {}
        self._names: dict[str, set[str]] = {}
        self._gaps: dict[str, int] = {}

    def find(self, key: str) -> LimitState | None:
        """Return the counts of a key, or None if they are not known."""
        return self._states.get(key)

    def pass_gap(self, gap: RecordedGap) -> None:
        """Forget the counts that may have changed unseen."""
        self._gaps[gap.prefix] = max(gap.until, self._gaps.get(gap.prefix, gap.until))
        if not gap.prefix:
            self._states.clear()
            self._names.clear()
            return
        names = self._names.get(_get_head(gap.prefix), set())
        for key in [key for key in names if key.startswith(gap.prefix)]:
            names.discard(key)
            del self._states[key]

    def correct(self, event: RecordedSettlement | RecordedLease) -> None:
        """Apply a change of one key, if its counts are known."""
        [(name, rule)] = self._iterate_rules(event.key)
        state = self._states.get(name)
        if isinstance(event, RecordedLease):
            if isinstance(state, ConcurrencyState):
                update_lease(state, rule, event)
        elif state is not None:
            settle(state, rule, event)

    def load(self, request: RecordedRequest) -> list[str]:
        """Take the states recorded with a request; return the keys whose counts changed unseen.

        Raises:
            CannotReproduce: a recorded state is none.
        """
        if not request.states:
            return []
        changed = []
        for decision in request.decisions:
            for key, rule in self._iterate_rules(decision.key):
                state = request.states.get(key)
                if state is None or self._is_in_gap(key, request.now):
                    continue
                try:
                    loaded = load_state(state, rule)
                except ValueError as error:
                    recorded = f"a state that is none ({error})"
                    raise _differ(request, decision, rule, recorded, "nothing") from error
                if not self._has_same(key, loaded, rule, request.now):
                    self._states[key] = loaded
                    self._names.setdefault(_get_head(key), set()).add(key)
                    changed.append(key)
        return changed

    def check(self, request: RecordedRequest) -> None:
        """Replay the decision, and charge it as it was charged.

        Raises:
            CannotReproduce: it differs from the recorded one.
        """
        for decision in request.decisions:
            if self._find_refusal(request, decision) != decision.refuses:
                raise _differ_on_admission(request, decision, admitted=not decision.refuses)
        if request.admitted == any(decision.refuses for decision in request.decisions):
            first = request.decisions[0]
            raise _differ_on_admission(request, first, admitted=request.admitted)
        for decision in request.decisions if request.is_counted else ():
            self._charge(request, decision)

    def _iterate_rules(self, key: RecordedKey) -> Iterator[tuple[str, Rule]]:
        """Yield each key with its rule, which has the numbers by which it was counted."""
        for name, rule in zip(key.keys, key.rules or (), strict=True):
            yield name, self._timeline.get_counted_rule(rule)

    def _is_in_gap(self, key: str, now: int) -> bool:
        if not self._gaps:
            return False
        prefixes = ("", _get_head(key), key[: key.rindex(":") + 1], key)
        return any(now < self._gaps.get(prefix, now) for prefix in prefixes)

    def _find_refusal(self, request: RecordedRequest, decision: RecordedDecision) -> bool:
        """Return whether the policy refuses; what nothing was counted for is as recorded."""
        if decision.key.rules is None:
            return True
        return self._check_fits(request, decision) if request.is_counted else decision.refuses

    def _check_fits(self, request: RecordedRequest, decision: RecordedDecision) -> bool:
        """Compare what fits; return whether a rule refuses."""
        refused, key = False, decision.key
        for (name, rule), fits in zip(self._iterate_rules(key), decision.fits, strict=True):
            state = self._states.get(name)
            if state is not None:
                wait = state.compute_retry_after(request.now, rule, decision.cost)
                if fits == bool(wait):
                    recorded, replayed = _describe_fit(fits), _describe_fit(not wait)
                    raise _differ(request, decision, rule, recorded, replayed)
            refused |= not fits and not rule.shadow
        return refused

    def _charge(self, request: RecordedRequest, decision: RecordedDecision) -> None:
        """Charge an admitted request and what was granted with it, and compare what remains."""
        rules, advance = self._iterate_rules(decision.key), request.granted * decision.cost
        for (name, rule), remaining in zip(rules, decision.remaining, strict=True):
            state = self._states.get(name)
            if state is None:
                continue
            # A shadow policy is not charged what it would have refused.
            if request.admitted and decision.cost and all(decision.fits):
                lease = name_lease(request.leases.get(name))
                state.charge(request.now, rule, decision.cost + advance, lease)
            replayed = state.compute_remaining(request.now, rule)[0] + advance
            if replayed != remaining:
                recorded, found = f"{remaining} remaining", f"{replayed} remaining"
                raise _differ(request, decision, rule, recorded, found)

    def _has_same(self, key: str, loaded: LimitState, rule: Rule, now: int) -> bool:
        """Return whether the replayed counts of a key are these at `now`."""
        state = self._states.get(key)
        if state is None:
            return False
        return state.dump(now, rule) == loaded.dump(now, rule)


def _get_head(key: str) -> str:
    """Return the beginning of a key or a prefix, up to the end of its partition."""
    return key[: key.rindex("}") + 1]


def _describe_fit(fits: bool) -> str:
    return "it fits" if fits else "it does not fit"


def _differ(
    request: RecordedRequest, decision: RecordedDecision, rule: Rule, recorded: str, replayed: str
) -> CannotReproduce:
    key = decision.key
    return CannotReproduce(
        Difference(request.now, key.policy, key.partition, rule.label, recorded, replayed)
    )


def _differ_on_admission(
    request: RecordedRequest, decision: RecordedDecision, *, admitted: bool
) -> CannotReproduce:
    words = ("admitted", "refused") if admitted else ("refused", "admitted")
    key = decision.key
    return CannotReproduce(Difference(request.now, key.policy, key.partition, "all", *words))
