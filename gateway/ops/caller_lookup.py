"""`CallerLookup`: whether one caller is limited under a policy, and why."""

import time
from collections.abc import Iterator, Sequence
from datetime import UTC
from math import ceil
from typing import NamedTuple

from gateway.errors.tree import RateLimiterUnavailable
from gateway.ops.caller_keys import CallerKeys, FoundKey, InvalidCaller
from gateway.ops.limit_description import describe_override
from gateway.ops.limit_store import LimitStore, translate_errors
from gateway.ops.models import CallerStanding, Override, RuleStanding
from gateway.ops.ops_errors import CountsUnavailable, InvalidChange, InvalidField
from gateway.ratelimit.algorithms.concurrency import RETRY_AFTER
from gateway.ratelimit.limiter import Charge, RequestChecker, Standing
from gateway.ratelimit.live.live_limits import LiveLimits, PolicyView
from gateway.ratelimit.partition import make_key
from gateway.ratelimit.policy import Policy, RateLimit
from gateway.ratelimit.policy_in_force import Block
from gateway.ratelimit.rule import MICROSECONDS, Algorithm, Rule
from gateway.storage.journal import Author


class CallerKey(NamedTuple):
    """A caller under a policy: `key` as it is shown, or as people write it, such as `user:42`.

    `issuer` is that of its tokens, if the settings have several. `tier` is the value of the claim
    that selects its rates.
    """

    policy: str
    key: str
    issuer: str | None = None
    tier: str | None = None


class CallerLookup:
    """Looks up the counts of one caller, and resets them.

    Without a `limiter`, the counts are in the memory of other processes.
    """

    def __init__(
        self, store: LimitStore, live: LiveLimits, keys: CallerKeys, limiter: RequestChecker | None
    ) -> None:
        self._store = store
        self._live = live
        self._keys = keys
        self._limiter = limiter

    async def look_up(self, caller: CallerKey) -> CallerStanding:
        """Look a caller up; nothing is charged.

        Raises:
            UnknownLimit: there is no policy of this name.
            InvalidChange: the key fits no caller of the policy.
            CountsUnavailable: the counts cannot be read.
        """
        view = self._store.find(caller.policy)
        found = self._find_key(view.declared, caller)
        override = _find_override(view, found)
        rules = view.in_force.find_rules(found.partition, caller.tier, time.time())
        if isinstance(rules, Block):
            return _describe(found, [], override, is_limited=not rules.shadow)
        policy = view.in_force.policy
        listed = await self._read_standings(rules, found) if rules else []
        least = _get_least_cost(policy)
        standings = [_describe_standing(it, least) for it in listed]
        is_limited = any(it.remaining < least and not it.rule.shadow for it in listed)
        notes = [_describe_tightest(policy, standings, is_limited=is_limited)] if listed else []
        notes += _iter_notes(policy, caller.tier)
        return _describe(found, standings, override, is_limited=is_limited, notes=notes)

    async def reset(self, caller: CallerKey, author: Author) -> None:
        """Drop the counts of a caller, in Redis and in all processes.

        Raises: as `look_up`, and
            ChangesUnavailable: there is no database, or it does not respond.
        """
        view = self._store.find(caller.policy)
        found = self._find_key(view.declared, caller)
        with translate_errors({found.partition: caller.key}):
            await self._live.reset(view.name, found.partition, author, found.caller)

    def _find_key(self, policy: Policy, caller: CallerKey) -> FoundKey:
        try:
            return self._keys.find(policy, caller.key, caller.issuer)
        except InvalidCaller as error:
            location = "path" if error.part == "key" else "query"
            raise InvalidChange([InvalidField(error.part, str(error), location)]) from error

    async def _read_standings(self, rules: Sequence[Rule], found: FoundKey) -> Sequence[Standing]:
        if self._limiter is None:
            raise CountsUnavailable(
                "The counts are in the memory of each gateway process: without redis_url, no other "
                "process can read them."
            )
        charges = [Charge(rule, make_key(rule, found.partition), cost=0) for rule in rules]
        try:
            verdict = await self._limiter.check(charges)
        except RateLimiterUnavailable:  # a policy that says `deny`
            verdict = None
        if verdict is None or verdict.degraded:
            raise CountsUnavailable("Redis, which has the counts, does not respond.")
        return verdict.standings


def _find_override(view: PolicyView, found: FoundKey) -> Override | None:
    document, partition = view.document, found.partition
    if document is None or partition not in view.in_force.overrides:
        return None
    return describe_override(partition, document.overrides[partition])


def _get_least_cost(policy: Policy) -> int:
    """Return the cost of the cheapest request; 1 if each has a cost of its own."""
    return max(1, policy.cost) if isinstance(policy.cost, int) else 1


def _describe_standing(standing: Standing, least: int) -> RuleStanding:
    rule = standing.rule
    return RuleStanding(
        label=rule.label,
        quota=rule.quota,
        burst=rule.burst or None,
        window_seconds=rule.window / MICROSECONDS,
        remaining=standing.remaining,
        reset_seconds=round(standing.reset, 3),
        retry_after_seconds=0 if standing.remaining >= least else _get_wait(standing),
    )


def _get_wait(standing: Standing) -> float:
    """Return the seconds until some quota comes back; no clock knows when a lease ends."""
    is_held = standing.rule.algorithm is Algorithm.CONCURRENCY
    return RETRY_AFTER / MICROSECONDS if is_held else round(standing.reset, 3)


def _describe(
    found: FoundKey,
    standings: Sequence[RuleStanding],
    override: Override | None,
    *,
    is_limited: bool,
    notes: Sequence[str] = (),
) -> CallerStanding:
    sentences = [*notes, *_iter_override_notes(override, is_limited=is_limited)]
    return CallerStanding(
        key=found.partition,
        caller=found.caller,
        rules=list(standings),
        override=override,
        limited=is_limited,
        why=" ".join(sentences),
    )


def _describe_tightest(
    policy: Policy, standings: Sequence[RuleStanding], *, is_limited: bool
) -> str:
    """Describe the rule of which the least is left."""
    least = min(standings, key=lambda it: it.remaining / (it.burst or it.quota))
    is_rate = isinstance(policy, RateLimit)
    left = f"{least.remaining} of {_describe_quota(least, is_rate=is_rate)} are left"
    left += f" ({least.label})"
    if policy.shadow and least.retry_after_seconds:
        return f"Over the limit, which is in shadow: {left}."
    if not is_limited:
        return f"Not limited: {left}."
    again = f"; some come back in {ceil(least.retry_after_seconds)} s" if is_rate else ""
    return f"Over the limit: {left}{again}."


def _describe_quota(rule: RuleStanding, *, is_rate: bool) -> str:
    if not is_rate:
        return f"{rule.quota} requests at one time"
    window = f"in {rule.window_seconds:g} s"
    if rule.burst is None:
        return f"{rule.quota} requests {window}"
    return f"a burst of {rule.burst} requests, at {rule.quota} {window},"


def _iter_override_notes(override: Override | None, *, is_limited: bool) -> Iterator[str]:
    if override is None:
        return
    reason = f": {override.reason}" if override.reason else ""
    span = f"{_describe_end(override)}{reason}."
    if override.kind == "block":
        effect = "refuses" if is_limited else "would refuse"
        yield f"An override {effect} all requests{span}"
    elif override.kind == "allow":
        yield f"An override admits all requests{span}"
    else:
        yield f"An override is in force{span}"


def _describe_end(override: Override) -> str:
    if override.until is None:
        return ""
    until = override.until.astimezone(UTC).replace(tzinfo=None)
    return f" until {until.isoformat(sep=' ', timespec='seconds')} UTC"


def _iter_notes(policy: Policy, tier: str | None) -> Iterator[str]:
    if policy.shadow:
        yield "The policy is in shadow: it refuses no request."
    if policy.tiers and tier not in policy.tiers:
        yield f"The rates are those of a caller without a tier ({policy.tier_claim})."
