"""`GatheredTraffic`: the requests of all gateway processes that `lockgate ops` sees."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence

from pydantic import ValidationError

from gateway.ops.models import Process
from gateway.ops.process_channel import Counts, Heartbeat, RecordedSpan
from gateway.ops.process_registry import ProcessRegistry, Replies, ReplyRequest
from gateway.ops.traffic import Recordings, Traffic, UsageReply
from gateway.ratelimit.partition import describe
from gateway.ratelimit.usage.count_decisions import UsageReport, merge_reports

_USAGE_SECONDS = 1.0
_RECORDING_SECONDS = 15.0
_CACHE_SECONDS = 5.0
"""How long recordings are used again: a form simulates with each key that is pressed."""

_UNREACHABLE = "unreachable"
_MAX_NAMES = 10_000

_UNREAD = "the traffic of the gateway processes cannot be read"


class GatheredTraffic(Traffic):
    """Adds up what the processes say of themselves in their heartbeats and replies.

    Without Redis (`registry` is None), no process is known.
    """

    def __init__(self, registry: ProcessRegistry | None) -> None:
        self._registry = registry
        self._names: dict[str, str] = {}
        self._gathering = asyncio.Lock()
        self._recordings = Recordings({})
        self._gathered_at = -_CACHE_SECONDS

    async def report_usage(self, policy: str, seconds: int) -> UsageReport | None:
        """Return the requests under one policy in the last seconds, over all processes.

        Return None if no process replies.
        """
        begin = int(time.time()) - seconds + 1
        request = ReplyRequest("usage", policy, seconds)
        replies = await self._ask(request, _USAGE_SECONDS)
        reports = list[UsageReport]()
        for reply in replies.received.values():
            try:
                found = UsageReply.model_validate_json(reply)
            except ValidationError:
                continue  # of another version of Lockgate
            reports.append(found.report)
            self._remember(found.names)
        return merge_reports(reports, begin, seconds) if reports else None

    def count_recent(self) -> Mapping[str, Counts]:
        """Return the requests of the last ten seconds by policy."""
        totals: dict[str, Counter[str]] = {}
        for heartbeat in self._list_heartbeats():
            for policy, counts in heartbeat.usage.items():
                totals.setdefault(policy, Counter()).update(counts.model_dump())
        names = Counts.model_fields
        return {
            policy: Counts.model_construct(None, **{name: total[name] for name in names})
            for policy, total in totals.items()
        }

    def list_processes(self) -> Sequence[Process]:
        """Return the processes that were seen lately."""
        return [] if self._registry is None else self._registry.list_processes()

    def find_fault(self) -> str:
        """Return why nothing is known of the traffic; "" if something is."""
        if self._registry is None:
            return f"{_UNREAD}: that needs `redis_url`"
        if self._registry.failure:
            return f"{_UNREAD}: Redis does not respond ({self._registry.failure})"
        if not self._registry.list_processes():
            return f"{_UNREAD}: none of them uses this Redis and this `counters.key_prefix`"
        return ""

    def get_services(self) -> Mapping[str, str]:
        """Return the state of each service, the worst that a process has."""
        states: dict[str, str] = {}
        for heartbeat in self._list_heartbeats():
            for name, state in heartbeat.services.items():
                former = states.get(name)
                if former in {None, "unused", "unknown"} or state == _UNREACHABLE:
                    states[name] = state
        return dict(sorted(states.items()))

    def describe(self, key: str) -> str | None:
        """Return the name of a caller, if it was among the top keys of a process lately."""
        return self._names.get(key) or describe(key)

    def list_recorded(self) -> Mapping[str, RecordedSpan]:
        """Return what each process has recorded, by the name of the process."""
        heartbeats = self._list_heartbeats()
        return {it.name: it.recorded for it in heartbeats if it.recorded is not None}

    async def gather_recordings(self) -> Recordings:
        """Return what the processes have recorded, as it was a few seconds ago at most."""
        async with self._gathering:
            if time.monotonic() - self._gathered_at >= _CACHE_SECONDS:
                self._recordings = await self._gather()
                self._gathered_at = time.monotonic()
            return self._recordings

    def _list_heartbeats(self) -> Sequence[Heartbeat]:
        return [] if self._registry is None else self._registry.list_heartbeats()

    async def _ask(self, request: ReplyRequest, seconds: float) -> Replies:
        return Replies() if self._registry is None else await self._registry.ask(request, seconds)

    def _remember(self, names: Mapping[str, str | None]) -> None:
        if len(self._names) > _MAX_NAMES:
            self._names.clear()
        self._names.update({key: name for key, name in names.items() if name is not None})

    async def _gather(self) -> Recordings:
        replies = await self._ask(ReplyRequest("recording"), _RECORDING_SECONDS)
        return Recordings(replies.received, sorted(replies.missing))
