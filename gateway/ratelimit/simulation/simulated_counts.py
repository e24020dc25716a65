"""`SimulatedCounts`: decides recorded requests with proposed policies."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field

from gateway.ratelimit.algorithms.concurrency import ConcurrencyState
from gateway.ratelimit.algorithms.limit_state import STATE_TYPES, LimitState
from gateway.ratelimit.partition import make_key
from gateway.ratelimit.policy_in_force import Block, PolicyInForce, Rules
from gateway.ratelimit.recording.events import (
    RecordedDecision,
    RecordedLease,
    RecordedRequest,
    RecordedSettlement,
)
from gateway.ratelimit.recording.timeline import Timeline
from gateway.ratelimit.rule import MICROSECONDS, Algorithm, Rule
from gateway.ratelimit.simulation.corrections import drop_lease, name_lease, settle
from gateway.ratelimit.simulation.lease_durations import LeaseDurations
from gateway.ratelimit.simulation.reproduction import CannotSimulate, Reproduction, load_state

MAX_UNSETTLED = 100_000

_Charge = tuple[LimitState, Rule, RecordedDecision]


@dataclass(slots=True)
class SimulatedDecision:
    """Which policies would refuse a request, and which would as shadows.

    If the counts of a key are unknown, the recorded decision about that key stands for the
    simulated one. `is_known` says that the answer does not depend on it.
    """

    refused_by: set[str] = field(default_factory=set)
    is_known: bool = True
    shadow_refused_by: set[str] = field(default_factory=set)

    @property
    def admitted(self) -> bool:
        """Whether no policy refuses the request."""
        return not self.refused_by

    def refuse(self, policy: str, *, shadow: bool) -> None:
        """Refuse the request, unless the policy is a shadow."""
        if shadow:
            self.shadow_refused_by.add(policy)
        else:
            self.refused_by.add(policy)


class SimulatedCounts:
    """The counts of all keys as the proposed policies would have changed them.

    Policies that are not proposed keep their recorded rules, but have counts of their own here: a
    request that the proposal refuses is not charged to them either.
    """

    # Invariants:
    # - `_states` has the counts of a key from its first request on. They begin as the recorded
    #   counts of the same key, and with nothing used if no recorded rule has that key: other
    #   windows and algorithms have other keys.
    # - `_charged` has what the last MAX_UNSETTLED requests were charged, by the time of the
    #   decision, policy and partition, until they are settled. Without settlements it is empty.

    def __init__(
        self, proposed: Mapping[str, PolicyInForce], reproduction: Reproduction, timeline: Timeline
    ) -> None:
        self._proposed = proposed
        self._reproduction = reproduction
        self._timeline = timeline
        self._max_unsettled = MAX_UNSETTLED if timeline.has_settlements else 0
        self._states: dict[str, LimitState] = {}
        self._restarted = set[str]()
        self._charged: OrderedDict[tuple[int, str, str], list[tuple[LimitState, Rule]]]
        self._charged = OrderedDict()
        self.prefetching = set[str]()
        self.durations = LeaseDurations()

    @property
    def restarted(self) -> Set[str]:
        """The policies of which a key began with nothing used, because it is a new one."""
        return self._restarted

    def forget(self, key: str) -> None:
        """Begin with the recorded counts of a key again, which have changed unseen."""
        self._states.pop(key, None)

    def correct(self, event: RecordedSettlement | RecordedLease) -> None:
        """Settle what the request of the event was charged here, or update its lease."""
        key = event.key
        if isinstance(event, RecordedSettlement):
            # The first settlement of a policy is for all of its rules.
            charged = self._charged.pop((event.decided_at, key.policy, key.partition), ())
            for state, rule in charged:
                settle(state, rule, event)
            return
        self.durations.observe_lease(event)
        [rule], held = key.rules or (), self._states.get(key.keys[0])
        if isinstance(held, ConcurrencyState):
            was_held = drop_lease(held, event)
            if was_held and not event.is_release:
                held.charge(event.now, rule, 1, name_lease(event.number))

    def decide(self, request: RecordedRequest) -> SimulatedDecision:
        """Decide a request before the reproduction charges it, and charge it if it is admitted."""
        self.durations.end_until(request.now)
        self.durations.observe_request(request)
        decision = SimulatedDecision()
        charges: list[_Charge] = []
        unknown: list[tuple[Rule, RecordedDecision]] = []
        for recorded in request.decisions:
            rules = self._find_rules(recorded, request.now)
            if isinstance(rules, Block):
                decision.refuse(rules.policy, shadow=rules.shadow)
                continue
            for given in rules:
                rule = self._timeline.get_counted_rule(given)
                if rule is not given:
                    self.prefetching.add(rule.policy)
                state = self._find_state(recorded, rule, request.now)
                if state is None:
                    unknown.append((rule, recorded))
                    continue
                charges.append((state, rule, recorded))
                if state.compute_retry_after(request.now, rule, recorded.cost):
                    decision.refuse(rule.policy, shadow=rule.shadow)
        self._add_recorded(decision, unknown)
        if decision.admitted:
            refusing = decision.shadow_refused_by  # which are not charged
            self._charge(request, [it for it in charges if it[1].policy not in refusing])
        return decision

    def _charge(self, request: RecordedRequest, charges: Sequence[_Charge]) -> None:
        for state, rule, recorded in charges:
            key = recorded.key
            if isinstance(state, ConcurrencyState):
                if recorded.cost:
                    self._take_lease(request, state, rule, key.partition)
                continue
            if recorded.cost:
                state.charge(request.now, rule, recorded.cost)
            if self._max_unsettled:  # also what costs nothing so far
                charged = (request.now, key.policy, key.partition)
                self._charged.setdefault(charged, []).append((state, rule))
        while len(self._charged) > self._max_unsettled:
            self._charged.popitem(last=False)

    def _take_lease(
        self, request: RecordedRequest, state: ConcurrencyState, rule: Rule, partition: str
    ) -> None:
        """Take the lease that the request took, or one for as long as the others."""
        number = request.leases.get(make_key(rule, partition))
        if number is None:
            self.durations.take(state, rule, request.now)
        else:
            state.charge(request.now, rule, 1, name_lease(number))

    @staticmethod
    def _add_recorded(
        decision: SimulatedDecision, unknown: Sequence[tuple[Rule, RecordedDecision]]
    ) -> None:
        """Take the recorded decisions about keys whose counts are unknown."""
        decision.is_known = not (unknown and decision.admitted)
        for rule, recorded in unknown:
            key = make_key(rule, recorded.key.partition)
            fits = dict(zip(recorded.key.keys, recorded.fits, strict=False))
            if not fits.get(key, True):
                decision.refuse(rule.policy, shadow=rule.shadow)

    def _find_rules(self, recorded: RecordedDecision, now: int) -> Rules | Block:
        key = recorded.key
        in_force = self._proposed.get(key.policy)
        if in_force is None:
            return Block(key.policy) if key.rules is None else key.rules
        seconds = (now + self._timeline.to_epoch) / MICROSECONDS
        return in_force.find_rules(key.partition, key.tier, seconds)

    def _find_state(self, recorded: RecordedDecision, rule: Rule, now: int) -> LimitState | None:
        """Return the counts of a key, or None if they are not known."""
        key = make_key(rule, recorded.key.partition)
        state = self._states.get(key)
        if state is not None:
            return state
        replayed = self._reproduction.find(key)
        if replayed is not None:
            state = load_state(replayed.dump(now, rule), rule)
        elif key in recorded.key.keys:
            return None
        else:
            if rule.algorithm is Algorithm.CONCURRENCY and recorded.key.keys:
                raise CannotSimulate(
                    f"policy {rule.policy}: it was no concurrency limit when the requests were "
                    "recorded, so nothing says how long they lasted"
                )
            state = STATE_TYPES[rule.algorithm]()
            if recorded.key.keys:
                self._restarted.add(rule.policy)
        self._states[key] = state
        return state
