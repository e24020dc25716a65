"""Describes a policy as the ops API shows it: the values, where they come from, the overrides."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from gateway.ops.models import HistoryItem, LastChange, Limit, Override, Values
from gateway.ratelimit.live.limit_history import HistoryEntry
from gateway.ratelimit.live.live_document import OverrideDocument
from gateway.ratelimit.live.live_limits import PolicyView
from gateway.ratelimit.live.stored_limit import RESET
from gateway.ratelimit.policy import Policy, RateLimit
from gateway.settings.rate import format_rates


def describe_limit(view: PolicyView) -> Limit:
    """Return the wire form of a policy."""
    return Limit(
        name=view.name,
        kind="rate" if isinstance(view.declared, RateLimit) else "concurrency",
        version=view.version,
        source=view.in_force.source,
        in_force=describe_values(view.in_force.policy),
        declared=describe_values(view.declared),
        settings=None if view.settings is None else describe_values(view.settings),
        live=None if view.document is None else view.document.to_json(),
        changed=_describe_change(view),
        overrides=list(_iter_overrides(view)),
        fault=view.fault or None,
    )


def describe_values(policy: Policy) -> Values:
    """Return the values of a policy."""
    return Values(
        rate=format_rates(policy.rates) if isinstance(policy, RateLimit) else None,
        limit=getattr(policy, "limit", None),
        burst=getattr(policy, "burst", None),
        shadow=policy.shadow,
        per=policy.per,
        tiers={name: _format_tier(value) for name, value in policy.tiers.items()},
        tier_claim=policy.tier_claim,
        without_redis=policy.without_redis,
        prefetch=getattr(policy, "prefetch", None),
        cost=policy.cost if isinstance(policy.cost, int) else "per request",
    )


def describe_override(key: str, override: OverrideDocument) -> Override:
    """Return the wire form of the override of a key."""
    return Override(
        key=key,
        caller=override.caller,
        kind=override.kind,
        rate=override.rate,
        limit=override.limit,
        times=override.times,
        until=None if override.until is None else datetime.fromisoformat(override.until),
        reason=override.reason,
    )


def describe_entry(entry: HistoryEntry) -> HistoryItem:
    """Return the wire form of an entry of the journal."""
    return HistoryItem(
        seq=entry.seq,
        version=None if entry.action == RESET else entry.version,
        at=datetime.fromtimestamp(entry.at, UTC),
        by=entry.author.actor,
        action=entry.action,
        reason=entry.author.reason,
        from_=entry.former,
        to=entry.document,
        key=entry.key,
        caller=entry.caller,
    )


def _iter_overrides(view: PolicyView) -> Iterator[Override]:
    """Yield the overrides that are in force."""
    if view.document is not None:
        for key, override in view.document.overrides.items():
            if key in view.in_force.overrides:
                yield describe_override(key, override)


def _describe_change(view: PolicyView) -> LastChange | None:
    if view.changed_at is None or view.author is None:
        return None
    at = datetime.fromtimestamp(view.changed_at, UTC)
    return LastChange(at=at, by=view.author.actor, reason=view.author.reason)


def _format_tier(value: Any) -> str | int:  # noqa: ANN401 - of either kind of policy
    return value if isinstance(value, int) else format_rates(value)
