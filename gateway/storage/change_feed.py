"""Keeps what a process holds of the database in memory up to date.

The journal tells whether anything has changed: all processes read its last `seq` twice a second.
Nothing else is needed for a change to reach every process within a second.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from logging import WARNING, getLogger
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from sqlalchemy import Connection

from gateway.auth.clock import Clock
from gateway.errors.tree import DatabaseUnavailable
from gateway.storage.database import Database
from gateway.storage.journal import read_last_seq
from gateway.telemetry.log import log_event

_MIN_STALE_SECONDS = 5.0
_STALE_POLLS = 3

log = getLogger("lockgate.storage")

T = TypeVar("T")


class Changes(NamedTuple, Generic[T]):
    """The rows that a replica loads.

    `is_complete` if they are all rows that there are: at the start, and after the restore of a
    backup. A replica drops all others then.
    """

    rows: Sequence[T]
    is_complete: bool


class Replica(Protocol):
    """What a process holds of some tables in memory."""

    def load(self, connection: Connection, after: int) -> Any:  # noqa: ANN401
        """Load what has changed after the entry `after` of the journal; 0 stands for everything.

        Runs in a thread.
        """

    def apply(self, loaded: Any) -> None:  # noqa: ANN401
        """Put into force what `load` has returned. Runs in the event loop."""


@dataclass(slots=True, eq=False)
class _Followed:
    """A replica, and the last entry of the journal that it has; None before its first load."""

    replica: Replica
    seq: int | None = None


class ChangeFeed:
    """Loads the replicas at the start, and again after each change."""

    # Invariant: a replica has all changes up to its `seq`. A replica that is added while a read is
    # under way is not in that read, so it has a `seq` of its own.

    def __init__(self, database: Database, clock: Clock, *, poll_seconds: float) -> None:
        self._database = database
        self._clock = clock
        self._poll_seconds = poll_seconds
        self._followed = list[_Followed]()
        self._has_read = False
        self._read_at = clock.monotonic()

    def __repr__(self) -> str:
        seqs = [it.seq for it in self._followed]
        return f"<{type(self).__name__} seqs={seqs} age={self.age:.1f}>"

    @property
    def is_loaded(self) -> bool:
        """Whether each replica has been loaded once. Until then, a process is not ready."""
        return self._has_read and all(it.seq is not None for it in self._followed)

    @property
    def age(self) -> float:
        """The seconds since the replicas were known to be up to date."""
        return self._clock.monotonic() - self._read_at

    @property
    def is_stale(self) -> bool:
        """Whether the database could not be read for several polls, and for 5 seconds."""
        return self.age > max(_MIN_STALE_SECONDS, _STALE_POLLS * self._poll_seconds)

    def add(self, replica: Replica) -> None:
        """Keep a replica up to date; it is loaded with the next read."""
        self._followed.append(_Followed(replica))

    async def watch(self) -> None:
        """Read the journal every `poll_seconds` until cancelled."""
        while True:
            # `Database` has logged why it is unavailable. What is loaded stays in force.
            with suppress(DatabaseUnavailable):
                await self.refresh()
            await self._clock.sleep(self._poll_seconds)

    async def refresh(self) -> None:
        """Load what has changed, if anything has; at once after a change by this process.

        Raises:
            DatabaseUnavailable: the database does not respond; the replicas are as they were.
        """
        started, followed = self._clock.monotonic(), list(self._followed)
        seq, loaded = await self._database.read(partial(_load, followed))
        for it, after, changes in loaded:
            # Another refresh may have been faster, and have read later: it is not undone.
            if it.seq == after or it.seq is None or seq > it.seq:
                it.replica.apply(changes)
                it.seq = seq
        self._has_read = True
        self._read_at = max(self._read_at, started)


class _Loaded(NamedTuple):
    """What a replica has loaded, and the `seq` that it had before."""

    followed: _Followed
    after: int | None
    changes: Any


def _load(followed: Sequence[_Followed], connection: Connection) -> tuple[int, list[_Loaded]]:
    """Load the changes of each replica that is not up to date, in one transaction."""
    seq = read_last_seq(connection)
    loaded = list[_Loaded]()
    for it in followed:
        known = it.seq
        if known == seq:
            continue
        after = known or 0
        if seq < after:  # as after the restore of a backup
            log_event(log, "database.went_back", WARNING, seq=seq, last_seq=after)
            after = 0
        loaded.append(_Loaded(it, known, it.replica.load(connection, after)))
    return seq, loaded
