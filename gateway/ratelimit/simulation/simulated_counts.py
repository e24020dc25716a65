"""`SimulatedCounts`: decides recorded requests with proposed policies."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from gateway.ratelimit.memory import STATE_TYPES, LimitState
from gateway.ratelimit.partition import make_key
from gateway.ratelimit.policy_in_force import Block, PolicyInForce, Rules
from gateway.ratelimit.recording.events import RecordedDecision, RecordedRequest
from gateway.ratelimit.rule import MICROSECONDS, Rule
from gateway.ratelimit.simulation.reproduction import Reproduction, load_state


@dataclass(slots=True)
class SimulatedDecision:
    """Whether a request would be admitted, and which policies would refuse it as shadows.

    If the counts of a key are unknown, the recorded decision about that key stands for the
    simulated one. `is_known` says that the answer does not depend on it.
    """

    admitted: bool = True
    is_known: bool = True
    shadow_refused_by: set[str] = field(default_factory=set)

    def refuse(self, policy: str, *, shadow: bool) -> None:
        """Refuse the request, unless the policy is a shadow."""
        if shadow:
            self.shadow_refused_by.add(policy)
        else:
            self.admitted = False


class SimulatedCounts:
    """The counts of all keys as the proposed policies would have changed them.

    Policies that are not proposed keep their recorded rules, but have counts of their own here: a
    request that the proposal refuses is not charged to them either.
    """

    # Invariants:
    # - `_states` has the counts of a key from its first request on. They begin as the recorded
    #   counts of the same key, and with nothing used if no recorded rule has that key: other
    #   windows and algorithms have other keys.

    def __init__(
        self, proposed: Mapping[str, PolicyInForce], reproduction: Reproduction, to_epoch: int
    ) -> None:
        self._proposed = proposed
        self._reproduction = reproduction
        self._to_epoch = to_epoch
        self._states: dict[str, LimitState] = {}
        self._restarted = set[str]()

    @property
    def restarted(self) -> Collection[str]:
        """The policies of which a key began with nothing used, because it is a new one."""
        return self._restarted

    def forget(self, key: str) -> None:
        """Begin with the recorded counts of a key again, which have changed unseen."""
        self._states.pop(key, None)

    def decide(self, request: RecordedRequest) -> SimulatedDecision:
        """Decide a request before the reproduction charges it, and charge it if it is admitted."""
        decision = SimulatedDecision()
        charges: list[tuple[LimitState, Rule, int]] = []
        unknown: list[tuple[Rule, RecordedDecision]] = []
        for recorded in request.decisions:
            rules = self._find_rules(recorded, request.now)
            if isinstance(rules, Block):
                decision.refuse(rules.policy, shadow=rules.shadow)
                continue
            for rule in rules:
                state = self._find_state(recorded, rule, request.now)
                if state is None:
                    unknown.append((rule, recorded))
                    continue
                charges.append((state, rule, recorded.cost))
                if state.compute_retry_after(request.now, rule, recorded.cost):
                    decision.refuse(rule.policy, shadow=rule.shadow)
        self._add_recorded(decision, unknown)
        for state, rule, cost in charges if decision.admitted else ():
            if cost:
                state.charge(request.now, rule, cost)
        return decision

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
            return Block(key.policy, 0) if key.rules is None else key.rules
        seconds = (now + self._to_epoch) / MICROSECONDS
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
            state = STATE_TYPES[rule.algorithm]()
            if recorded.key.keys:
                self._restarted.add(rule.policy)
        self._states[key] = state
        return state
