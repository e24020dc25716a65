"""Applies a live document to the policy that the code and the settings declare."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from gateway.ratelimit.key_override import KeyOverride
from gateway.ratelimit.live.change_errors import InvalidDocument
from gateway.ratelimit.live.live_document import LiveDocument, OverrideDocument
from gateway.ratelimit.live.rfc3339 import to_epoch
from gateway.ratelimit.policy import Policy, RateLimit
from gateway.ratelimit.policy_in_force import PolicyInForce
from gateway.settings.errors import ConfigError
from gateway.settings.rate import parse_rates
from gateway.settings.setting_path import format_path

_OF_RATE_LIMITS = ("rate", "burst", "prefetch")
_OF_CONCURRENCY_LIMITS = ("limit",)


@dataclass(frozen=True, slots=True)
class AppliedDocument:
    """A policy with the live values, until `until`, and its overrides; times are epoch seconds."""

    base: PolicyInForce
    policy: Policy
    has_values: bool
    until: float | None
    overrides: Mapping[str, KeyOverride]

    def make_in_force(self, version: int, now: float) -> PolicyInForce:
        """Return what is in force at a time: without what has ended."""
        is_live = self.has_values and (self.until is None or now < self.until)
        return PolicyInForce(
            self.policy if is_live else self.base.policy,
            version=version,
            source="live" if is_live else self.base.source,
            overrides=MappingProxyType(
                {key: it for key, it in self.overrides.items() if it.is_in_force(now)}
            ),
        )

    def find_next_end(self, now: float) -> float | None:
        """Return the next time at which something ends; None if nothing does."""
        ends = [self.until, *(it.until for it in self.overrides.values())]
        return min((end for end in ends if end is not None and end > now), default=None)


def apply_document(base: PolicyInForce, document: LiveDocument) -> AppliedDocument:
    """Apply a document to a policy as the code and the settings have it.

    Raises:
        InvalidDocument: a value does not fit the policy; has every mistake.
    """
    errors = list(_find_field_errors(base.policy, document))
    policy = base.policy
    if document.values and not errors:
        try:
            policy = _change_policy(base.policy, _list_changes(base.policy, document))
        except InvalidDocument as invalid:
            errors += invalid.errors
    overrides = {key: _to_key_override(it) for key, it in document.overrides.items()}
    policies = [base.policy] if policy is base.policy else [base.policy, policy]
    for key, override in overrides.items():
        errors += _find_override_errors(policies, key, override)
    if errors:
        raise InvalidDocument(errors)
    until = None if document.until is None else to_epoch(document.until)
    return AppliedDocument(base, policy, bool(document.values), until, overrides)


def find_partition_error(policy: Policy, partition: str) -> str:
    """Return why a policy never counts a partition; "" if it may."""
    kind = policy.per.partition(":")[0]
    # A caller without the value that the policy counts by is counted by its subject.
    kinds = [kind] if kind == "address" else [kind, "subject"]
    if partition.partition(":")[0] in kinds:
        return ""
    expected = " or ".join(f"{it}:" for it in kinds)
    return f"{policy.name} counts per {policy.per}, so that its keys begin with {expected}"


def _find_field_errors(policy: Policy, document: LiveDocument) -> Iterator[ConfigError]:
    """Find the fields that policies of this kind do not have."""
    is_rate_limit = isinstance(policy, RateLimit)
    foreign = _OF_CONCURRENCY_LIMITS if is_rate_limit else _OF_RATE_LIMITS
    kind = "a rate limit" if is_rate_limit else "a concurrency limit"
    for name in foreign:
        if name in document.values:
            yield ConfigError(name, f"is no value of {kind}, as {policy.name} is")
    if document.tiers is None:
        return
    if policy.tier_claim is None:
        message = f"{policy.name} has no tiers: its declaration names no tier_claim"
        yield ConfigError("tiers", message)
    expected = "a rate such as 60/minute" if is_rate_limit else "a number of requests at once"
    for tier, value in document.tiers.items():
        if isinstance(value, str) is not is_rate_limit:
            path = format_path(("tiers", tier))
            yield ConfigError(path, f"must be {expected}", f"got {value!r}")


def _list_changes(policy: Policy, document: LiveDocument) -> dict[str, Any]:
    """Return the keywords of the declaration that the document changes."""
    changes: dict[str, Any] = {}
    if document.rate is not None:
        changes["rate"] = parse_rates(document.rate)
    if document.limit is not None:
        changes["limit"] = document.limit
    if document.tiers is not None:
        changes["tiers"] = {**policy.tiers, **document.tiers}
    if document.burst is not None:
        changes["burst"] = document.burst or None
    if document.prefetch is not None:
        changes["prefetch"] = document.prefetch or None
    if document.shadow is not None:
        changes["shadow"] = document.shadow
    return changes


def _change_policy(policy: Policy, changes: dict[str, Any]) -> Policy:
    """Return the policy with all changes.

    Raises:
        InvalidDocument: names each field that does not fit the policy, or else the one that does
            not fit the others.
    """
    message = _find_fault(policy, changes)
    if message is None:
        return policy.change(**changes)
    alone = {name: _find_fault(policy, {name: value}) for name, value in changes.items()}
    errors = [ConfigError(name, fault) for name, fault in alone.items() if fault]
    if not errors:
        errors = [ConfigError(_find_culprit(policy, changes), message)]
    raise InvalidDocument(errors)


def _find_culprit(policy: Policy, changes: dict[str, Any]) -> str:
    """Return the field without which the others fit."""
    for name in reversed(changes):
        others = {other: value for other, value in changes.items() if other != name}
        if _find_fault(policy, others) is None:
            return name
    return next(iter(changes))


def _find_fault(policy: Policy, changes: dict[str, Any]) -> str | None:
    try:
        policy.change(**changes)
    except (TypeError, ValueError) as error:
        return str(error).removeprefix(f"policy {policy.name}: ")
    return None


def _to_key_override(document: OverrideDocument) -> KeyOverride:
    return KeyOverride(
        document.kind,
        rates=None if document.rate is None else parse_rates(document.rate),
        limit=document.limit,
        times=document.times,
        until=None if document.until is None else to_epoch(document.until),
    )


def _find_override_errors(
    policies: Sequence[Policy], key: str, override: KeyOverride
) -> Iterator[ConfigError]:
    """Find what does not fit the policy, with the live values and without them."""
    if message := find_partition_error(policies[0], key):
        yield ConfigError(format_path(("overrides", key)), message)
    if override.times is not None and (message := _find_times_error(policies, override.times)):
        yield ConfigError(format_path(("overrides", key, "times")), message)
    if override.kind != "rate":
        return
    field = "limit" if override.rates is None else "rate"
    for policy in policies:
        try:
            policy.make_override_rules(override)
        except ValueError as error:
            message = str(error).removeprefix(f"policy {policy.name}: ")
            yield ConfigError(format_path(("overrides", key, field)), message)
            return


def _find_times_error(policies: Sequence[Policy], times: float) -> str:
    """Return why a factor refuses every request; "" if it does not."""
    for policy in policies:
        rules = [it for tier in (None, *policy.tiers) for it in policy.make_rules(tier)]
        fits = min(max(1, int((it.burst or it.quota) * times)) for it in rules)
        if isinstance(policy.cost, int) and policy.cost > fits:
            return (
                f"a request costs {policy.cost}, so that every request would be refused; at most "
                f"{fits} fit at once"
            )
    return ""
