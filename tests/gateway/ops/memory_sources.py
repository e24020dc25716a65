"""The interfaces of the ops app in memory, for tests of its routes and of its clients."""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from gateway.ops.interfaces import CallerKey, CallerLookup, LimitStore, Traffic
from gateway.ops.models import (
    AffectedKey,
    CallerStanding,
    Covers,
    HistoryItem,
    LastChange,
    Limit,
    LimitChange,
    LimitUsage,
    Override,
    Process,
    Proposal,
    RuleStanding,
    SimulatedEffect,
    SimulationResult,
    TopKey,
    UsageRates,
    Values,
)
from gateway.ops.ops_errors import InvalidChange, InvalidField, PreconditionFailed, UnknownLimit
from gateway.settings.rate import Rate
from gateway.storage.journal import Author

Document = dict[str, Any]

RATES = {"dashboards": "120/minute", "partners": "10/second", "catalog": "600/minute"}


def declare(rate: str | None, **values: Any) -> Values:
    """Build the values of a policy that is declared in code."""
    plain: Document = {
        "limit": None,
        "burst": None,
        "shadow": False,
        "per": "user",
        "tiers": {},
        "tier_claim": None,
        "without_redis": "local",
        "lease": None,
        "cost": 1,
    }
    return Values.model_validate({"rate": rate, **plain, **values})


class MemoryLimits(LimitStore):
    """Policies in a dict; rates are checked, other fields are stored as they are."""

    def __init__(self, declared: Mapping[str, Values] | None = None) -> None:
        self._declared = declared or {name: declare(rate) for name, rate in RATES.items()}
        self._versions: dict[str, list[Document | None]] = {name: [None] for name in self._declared}
        self._entries: dict[str, list[HistoryItem]] = {name: [] for name in self._declared}

    def list(self) -> Sequence[Limit]:
        return [self.get(name) for name in self._declared]

    def get(self, name: str) -> Limit:
        if name not in self._declared:
            raise UnknownLimit(f"There is no policy {name!r}.")
        live, entries = self._versions[name][-1], self._entries[name]
        declared = self._declared[name]
        given = {k: v for k, v in (live or {}).items() if k in Values.model_fields}
        overrides = (live or {}).get("overrides", {})
        last = entries[-1] if entries else None
        return Limit(
            name=name,
            kind="rate" if declared.limit is None else "concurrency",
            version=len(self._versions[name]) - 1,
            source="live" if live else "code",
            in_force=declared.model_copy(update=given),
            declared=declared,
            settings=None,
            live=live,
            changed=last and LastChange(at=last.at, by=last.by, reason=last.reason),
            overrides=[_describe(key, it) for key, it in overrides.items()],
            fault=None,
        )

    async def replace(
        self, name: str, change: LimitChange, *, version: int, author: Author
    ) -> Limit:
        document = change.model_dump(mode="json", exclude_unset=True, exclude={"reason"})
        document.setdefault("overrides", (self.get(name).live or {}).get("overrides", {}))
        return self._write(name, document, version, author, "limit.change")

    async def patch(self, name: str, change: LimitChange, *, version: int, author: Author) -> Limit:
        given = change.model_dump(mode="json", exclude_unset=True, exclude={"reason"})
        document = _merge(self.get(name).live or {}, given)
        return self._write(name, document, version, author, "limit.change")

    async def roll_back(self, name: str, to: int, *, version: int, author: Author) -> Limit:
        versions = self._versions[self.get(name).name]
        if to >= len(versions):
            raise InvalidChange([InvalidField("version", f"there is no version {to}")])
        return self._write(name, versions[to], version, author, "limit.rollback")

    async def read_history(
        self, name: str, *, limit: int, before: int | None
    ) -> Sequence[HistoryItem]:
        found = [it for it in self._entries[self.get(name).name] if it.seq < (before or 2**62)]
        return found[::-1][:limit]

    def _write(
        self, name: str, document: Document | None, version: int, author: Author, action: str
    ) -> Limit:
        current = self.get(name)
        if version != current.version:
            raise PreconditionFailed("Changed meanwhile.", current_version=current.version)
        try:
            for rate in ((document or {}).get("rate") or "1/second").split(","):
                Rate.parse(rate)
        except ValueError as error:
            raise InvalidChange([InvalidField("rate", str(error))]) from error
        entry = HistoryItem(
            seq=sum(map(len, self._entries.values())) + 1,
            version=current.version + 1,
            at=datetime.now(UTC),
            by=author.actor,
            action=action,
            reason=author.reason,
            from_=current.live,
            to=document,
        )
        self._versions[name].append(document)
        self._entries[name].append(entry)
        return self.get(name)


class MemoryCallers(CallerLookup):
    """Every caller has used half of its quota, until it is reset."""

    def __init__(self, limits: MemoryLimits) -> None:
        self._limits = limits
        self._is_reset = set[tuple[str, str]]()

    async def look_up(self, caller: CallerKey) -> CallerStanding:
        name, key = self._limits.get(caller.policy).name, caller.key
        remaining = 120 if (name, key) in self._is_reset else 60
        rule = RuleStanding(
            label=name,
            quota=120,
            window_seconds=60,
            remaining=remaining,
            reset_seconds=30,
            retry_after_seconds=0,
        )
        return CallerStanding(
            key=key,
            caller=key,
            rules=[rule],
            override=None,
            limited=False,
            why=f"{remaining} of 120 requests are left.",
        )

    async def reset(self, caller: CallerKey, author: Author) -> None:
        self._is_reset.add((self._limits.get(caller.policy).name, caller.key))


class MemoryTraffic(Traffic):
    """The same traffic in each second."""

    async def read_usage(self, policy: str, seconds: int) -> LimitUsage:
        return LimitUsage(
            policy=policy,
            from_=int(time.time()) - seconds,
            step=1,
            allowed=[(it * 7) % 40 for it in range(seconds)],
            refused=[(it * 3) % 5 for it in range(seconds)],
            shadow_refused=[0] * seconds,
            top_keys=[TopKey(key="user:9f2c", caller="user 42", allowed=900, refused=12)],
        )

    async def read_rates(self) -> dict[str, UsageRates]:
        return {name: UsageRates(allowed=20.5, refused=1.2, shadow_refused=0) for name in RATES}

    def list_processes(self) -> Sequence[Process]:
        return [Process(name="gateway-1", started_at=datetime.now(UTC), heard_seconds_ago=0.2)]

    async def simulate(self, policy: str, proposal: Proposal) -> SimulationResult:
        effect = SimulatedEffect(
            requests=1_000, newly_refused=40, newly_admitted=0, refused_before=5, refused_after=45
        )
        key = AffectedKey(
            key="user:9f2c", caller="user 42", newly_refused=40, newly_admitted=0, requests=400
        )
        return SimulationResult(
            policy=policy,
            reproduced=True,
            covers=self.describe_recording(),
            accuracy="exact for the recorded requests",
            restarts_counts=False,
            effect=effect,
            keys=[key],
        )

    async def export(self) -> bytes:
        return b""

    def describe_recording(self) -> Covers:
        now = datetime.now(UTC)
        return Covers(
            from_=now, to=now, seconds=0, requests=1_000, keys=9, processes=["p1"], left_out={}
        )


def _describe(key: str, override: Document) -> Override:
    absent: Document = dict.fromkeys(Override.model_fields) | {"caller": key, "reason": ""}
    return Override.model_validate({**absent, **override, "key": key})


def _merge(target: Document, patch: Document) -> Document:
    """Merge a patch as RFC 7396 says."""
    merged = dict(target)
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict):
            merged[name] = _merge(merged.get(name) or {}, value)
        else:
            merged[name] = value
    return merged
