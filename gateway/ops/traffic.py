"""`Traffic`: the requests of the gateway processes; here those of the process of the ops app."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pydantic import BaseModel, field_validator

from gateway.open_clients import OpenServices
from gateway.ops.models import Process
from gateway.ops.process_channel import MAX_COUNT, Counts, ProcessRequest, RecordedSpan
from gateway.ratelimit.partition import describe
from gateway.ratelimit.recording.export_file import export_recordings
from gateway.ratelimit.recording.recorder import Recorder
from gateway.ratelimit.rule import MICROSECONDS
from gateway.ratelimit.usage.count_decisions import UsageReport
from gateway.transport.transport import Transport

RECENT_SECONDS = 10
"""The rates of now are those of the last ten seconds that are complete."""


class UsageReply(BaseModel):
    """The reply of a process about the usage of a policy; `names` are those of the top keys."""

    report: UsageReport
    names: dict[str, str | None]

    @field_validator("report")
    @classmethod
    def _require_counts(cls, report: UsageReport) -> UsageReport:
        by_key = [count for it in report.top_keys for count in (it.allowed, it.refused)]
        counts = (*report.allowed, *report.refused, *report.shadow_refused, *by_key)
        if not all(0 <= it <= MAX_COUNT for it in counts):
            raise ValueError(f"counts must be from 0 to {MAX_COUNT}")
        return report


@dataclass(slots=True)
class Recordings:
    """Exported recordings by the name of their process, and the processes that sent none."""

    files: Mapping[str, bytes]
    missing: Sequence[str] = field(default_factory=list)


class Traffic(ABC):
    """The requests of all gateway processes that the ops app knows."""

    @abstractmethod
    async def report_usage(self, policy: str, seconds: int) -> UsageReport | None:
        """Return the requests under one policy in the last seconds; None if they are unknown."""

    @abstractmethod
    def count_recent(self) -> Mapping[str, Counts]:
        """Return the requests of the last ten seconds by policy."""

    @abstractmethod
    def list_processes(self) -> Sequence[Process]:
        """Return the processes."""

    def find_fault(self) -> str:
        """Return why nothing is known of the traffic; "" if something is."""
        return ""

    @abstractmethod
    def get_services(self) -> Mapping[str, str]:
        """Return the states of the services."""

    @abstractmethod
    def describe(self, key: str) -> str | None:
        """Return the name of a caller, such as `user:42`, if a process has seen it lately."""

    @abstractmethod
    def list_recorded(self) -> Mapping[str, RecordedSpan]:
        """Return what each process has recorded, by the name of the process."""

    @abstractmethod
    async def gather_recordings(self) -> Recordings:
        """Return what the processes have recorded."""


class OwnTraffic(Traffic):
    """The requests of this process, which also says of itself what `ProcessSource` asks."""

    def __init__(self, recorder: Recorder, services: OpenServices) -> None:
        self._recorder = recorder
        self._services = services
        self._started_at = datetime.now(UTC)

    async def report_usage(self, policy: str, seconds: int) -> UsageReport:
        """Return the requests under one policy in the last seconds."""
        return self._recorder.usage.report(policy, seconds)

    def count_recent(self) -> Mapping[str, Counts]:
        """Return the requests of the last ten seconds by policy."""
        usage, counts = self._recorder.usage, dict[str, Counts]()
        for policy in usage.policies:
            allowed, refused, shadow_refused = usage.count_recent(policy, RECENT_SECONDS)
            counts[policy] = Counts(allowed=allowed, refused=refused, shadow_refused=shadow_refused)
        return counts

    def list_processes(self) -> Sequence[Process]:
        """Return this process."""
        name = self._recorder.process
        return [Process(name=name, started_at=self._started_at, last_seen_seconds=0)]

    def get_services(self) -> Mapping[str, str]:
        """Return the states of the services; a transport of httpx does not tell."""
        return {
            name: it.transport.state if isinstance(it.transport, Transport) else "unknown"
            for name, it in sorted(self._services.items())
        }

    def describe(self, key: str) -> str | None:
        """Return the name of a caller, if this process has seen it lately."""
        return describe(key)

    def list_recorded(self) -> Mapping[str, RecordedSpan]:
        """Return what this process has recorded."""
        span = self.describe_recorded()
        return {} if span is None else {self._recorder.process: span}

    def describe_recorded(self) -> RecordedSpan | None:
        """Return what is recorded; None if nothing is."""
        begin, end, requests = self._recorder.describe_span()
        if not requests:
            return None
        return RecordedSpan(begin=begin / MICROSECONDS, end=end / MICROSECONDS, requests=requests)

    async def gather_recordings(self) -> Recordings:
        """Return what this process has recorded."""
        return Recordings({self._recorder.process: await self._export()})

    async def respond(self, request: ProcessRequest) -> bytes:
        """Reply to an ops app in another process."""
        if request.wants == "usage":
            report = await self.report_usage(request.policy, request.seconds)
            names = {it.key: describe(it.key) for it in report.top_keys}
            return UsageReply(report=report, names=names).model_dump_json().encode()
        return await self._export()

    async def _export(self) -> bytes:
        """Return the recording as a file; the event loop goes on meanwhile."""
        pieces = list[bytes]()
        for piece in export_recordings([self._recorder.snapshot()]):
            pieces.append(piece)
            await asyncio.sleep(0)
        return b"".join(pieces)


def explain_absence(traffic: Traffic, recordings: Recordings) -> str:
    """Return why no recording was found."""
    missing = ", ".join(recordings.missing)
    return traffic.find_fault() or f"no recording came from {missing or 'any process'}"
