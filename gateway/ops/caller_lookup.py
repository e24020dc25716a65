"""`CallerLookup`: whether one caller is limited under a policy, and why."""

import time
from collections.abc import Iterator, Sequence
from datetime import UTC
from typing import NamedTuple

from gateway.ops.caller_keys import CallerKeys, FoundKey
from gateway.ops.limit_description import describe_override
from gateway.ops.limit_store import LimitStore, translate_errors
from gateway.ops.models import CallerStanding, Override, RuleStanding
from gateway.ops.ops_errors import CountsUnavailable
from gateway.ratelimit.limiter import Charge, RateLimiter, Standing
from gateway.ratelimit.live.live_limits import LiveLimits, PolicyView
from gateway.ratelimit.partition import make_key
from gateway.ratelimit.policy import Policy
from gateway.ratelimit.policy_in_force import Block
from gateway.ratelimit.rule import MICROSECONDS, Rule
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
        self, store: LimitStore, live: LiveLimits, keys: CallerKeys, limiter: RateLimiter | None
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
        found = self._keys.find(view.declared, caller.key, caller.issuer)
        override = _find_override(view, found)
        rules = view.in_force.find_rules(found.partition, caller.tier, time.time())
        if isinstance(rules, Block):
            return _describe(found, [], override, is_limited=not rules.shadow)
        listed = await self._read_standings(rules, found) if rules else []
        least = _get_least_cost(view.in_force.policy)
        standings = [_describe_standing(it, least) for it in listed]
        is_limited = any(it.remaining < least and not it.rule.shadow for it in listed)
        notes = _iter_notes(view.in_force.policy, caller.tier)
        return _describe(found, standings, override, is_limited=is_limited, notes=tuple(notes))

    async def reset(self, caller: CallerKey, author: Author) -> None:
        """Drop the counts of a caller, in Redis and in all processes.

        Raises: as `look_up`, and
            ChangesUnavailable: there is no database, or it does not respond.
        """
        view = self._store.find(caller.policy)
        found = self._keys.find(view.declared, caller.key, caller.issuer)
        with translate_errors({found.partition: caller.key}):
            await self._live.reset(view.name, found.partition, author)

    async def _read_standings(self, rules: Sequence[Rule], found: FoundKey) -> Sequence[Standing]:
        if self._limiter is None:
            raise CountsUnavailable(
                "The counts are in the memory of each gateway process: without redis_url, no other "
                "process can read them."
            )
        charges = [Charge(rule, make_key(rule, found.partition), cost=0) for rule in rules]
        verdict = await self._limiter.check(charges)
        if verdict.degraded:
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
        window_seconds=rule.window / MICROSECONDS,
        remaining=standing.remaining,
        reset_seconds=round(standing.reset, 3),
        retry_after_seconds=round(standing.reset, 3) if standing.remaining < least else 0,
    )


def _describe(
    found: FoundKey,
    standings: Sequence[RuleStanding],
    override: Override | None,
    *,
    is_limited: bool,
    notes: Sequence[str] = (),
) -> CallerStanding:
    sentences = [_describe_reason(standings, override, is_limited=is_limited), *notes]
    return CallerStanding(
        key=found.partition,
        caller=found.caller,
        rules=list(standings),
        override=override,
        limited=is_limited,
        why=" ".join(sentences),
    )


def _describe_reason(
    standings: Sequence[RuleStanding], override: Override | None, *, is_limited: bool
) -> str:
    if override is not None and override.kind in {"block", "allow"}:
        effect = "refuses" if is_limited else "would refuse"
        verb = f"{effect} all requests" if override.kind == "block" else "admits all requests"
        return f"An override {verb} {_describe_end(override)}{_quote_reason(override)}."
    least = min(standings, key=lambda it: it.remaining / it.quota)
    left = (
        f"{least.remaining} of {least.quota} requests in {least.window_seconds:g} s are left "
        f"({least.label})"
    )
    text = f"Over the limit: {left}." if is_limited else f"Not limited: {left}."
    if least.retry_after_seconds:
        text += f" Some quota comes back in {least.retry_after_seconds:g} s."
    if override is not None:
        text += f" An override is in force {_describe_end(override)}{_quote_reason(override)}."
    return text


def _describe_end(override: Override) -> str:
    if override.until is None:
        return "without an end"
    until = override.until.astimezone(UTC).replace(tzinfo=None)
    return f"until {until.isoformat(sep=' ', timespec='seconds')} UTC"


def _quote_reason(override: Override) -> str:
    return f": {override.reason}" if override.reason else ""


def _iter_notes(policy: Policy, tier: str | None) -> Iterator[str]:
    if policy.shadow:
        yield "The policy is a shadow, which refuses nothing."
    if policy.tiers and tier not in policy.tiers:
        yield f"The rates are those of a caller without a tier ({policy.tier_claim})."
