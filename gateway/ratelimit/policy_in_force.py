"""`PoliciesInForce`: each policy with the values that are in force now, and overrides of its keys.

The declaration in the code is in force, unless the settings or an operator change it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from gateway.ratelimit.key_override import KeyOverride
from gateway.ratelimit.partition import make_key
from gateway.ratelimit.policy import Policy
from gateway.ratelimit.rule import Rule, change_numbers

Source = Literal["code", "settings", "live"]

MAX_POLICIES = 10_000

BLOCK_SECONDS = 3_600.0
"""`Retry-After` of a block without an end."""


@dataclass(frozen=True, slots=True)
class Block:
    """Refuses a key before anything is counted, until a time in seconds since the epoch."""

    policy: str
    until: float | None = None
    shadow: bool = False

    def compute_retry_after(self, now: float) -> float:
        """Return the seconds until its end."""
        return BLOCK_SECONDS if self.until is None else self.until - now


Rules = tuple[Rule, ...]


@dataclass(frozen=True, slots=True, eq=False)
class PolicyInForce:
    """The values of one policy that are in force, with the overrides of its keys by partition.

    `version` is that of the live document that they come from; 0 is none.
    """

    policy: Policy
    version: int = 0
    source: Source = "code"
    overrides: Mapping[str, KeyOverride] = field(default_factory=dict)
    _rules: Rules = field(init=False, repr=False)
    _by_tier: Mapping[str | None, Rules] = field(init=False, repr=False)
    _blocks: Mapping[str, Block] = field(init=False, repr=False)
    _overridden: dict[tuple[str, str | None], Rules] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Make the rules of all tiers."""
        set_field = object.__setattr__
        set_field(self, "_rules", self.policy.make_rules())
        set_field(self, "_by_tier", {it: self.policy.make_rules(it) for it in self.policy.tiers})
        set_field(self, "_overridden", {})
        # One object per override: the recorder knows rules by their identity.
        blocks = {
            key: Block(self.policy.name, it.until, self.policy.shadow)
            for key, it in self.overrides.items()
            if it.kind == "block"
        }
        set_field(self, "_blocks", blocks)

    def __reduce__(self) -> tuple[Any, ...]:
        """Describe the values to `pickle`; the rules are made anew."""
        return PolicyInForce, (self.policy, self.version, self.source, dict(self.overrides))

    def find_rules(self, partition: str, tier: str | None, now: float) -> Rules | Block:
        """Return the rules that count a request; none if its key has an override that allows all.

        `now` is in seconds since the epoch.
        """
        if self.overrides:
            override = self.overrides.get(partition)
            if override is not None and override.is_in_force(now):
                return self._apply(override, partition, tier)
        return self._by_tier.get(tier, self._rules)

    def list_keys(self, partition: str) -> set[str]:
        """List the keys of a partition: in any tier, with its override and without."""
        rules = [*self._rules, *(rule for some in self._by_tier.values() for rule in some)]
        override = self.overrides.get(partition)
        if override is not None and (override.rates or override.limit):
            rules += self.policy.make_override_rules(override)
        return {make_key(rule, partition) for rule in rules}

    def _apply(self, override: KeyOverride, partition: str, tier: str | None) -> Rules | Block:
        if override.kind == "block":
            return self._blocks[partition]
        if override.kind == "allow":
            return ()
        # One entry per override and tier: an unknown tier, which a token can make up, is no key.
        key = (partition, tier if tier in self._by_tier else None)
        rules = self._overridden.get(key)
        if rules is None:
            rules = self._overridden[key] = self._make_overridden_rules(override, key[1])
        return rules

    def _make_overridden_rules(self, override: KeyOverride, tier: str | None) -> Rules:
        times = override.times
        if times is None:
            return self.policy.make_override_rules(override)
        rules = self.policy.make_rules(tier)
        return tuple(change_numbers(it, it.quota * times, it.burst * times) for it in rules)


class PoliciesInForce:
    """The policies in force by name. `replace` may be called at any time; the next request sees it.

    A policy that was not declared at the start is in force as its first use declares it.
    """

    def __init__(self, in_force: Iterable[PolicyInForce] = ()) -> None:
        self._by_name = {one.policy.name: one for one in in_force}

    def __iter__(self) -> Iterator[PolicyInForce]:
        """Iterate over all policies, in the order of their declaration."""
        return iter(list(self._by_name.values()))

    def find(self, name: str) -> PolicyInForce | None:
        """Return the policy of a name, or None if there is no such policy."""
        return self._by_name.get(name)

    def get(self, declared: Policy) -> PolicyInForce:
        """Return what is in force of a declared policy."""
        in_force = self._by_name.get(declared.name)
        return self._add(declared) if in_force is None else in_force

    def replace(self, name: str, in_force: PolicyInForce) -> None:
        """Put other values in force, from the next request on."""
        self._by_name[name] = in_force

    def _add(self, declared: Policy) -> PolicyInForce:
        if len(self._by_name) >= MAX_POLICIES:
            raise RuntimeError(
                f"there are {MAX_POLICIES} policies: declare a policy once, and not per request"
            )
        added = self._by_name[declared.name] = PolicyInForce(declared)
        return added
