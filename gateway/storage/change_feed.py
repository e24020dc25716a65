"""Keeps what a process holds of the database in memory up to date.

The journal tells whether anything has changed: all processes read its last entry, four times a
second by default. Nothing else is needed for a change to reach every process within a second.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from logging import ERROR, WARNING, getLogger
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from sqlalchemy import Connection

from gateway.auth.clock import Clock
from gateway.errors.tree import DatabaseUnavailable
from gateway.storage.database import Database
from gateway.storage.failures import explain_unavailability
from gateway.storage.journal import JournalHead, read_hash, read_head
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


@dataclass(frozen=True, slots=True)
class Page:
    """The first of many changes: those up to the entry `seq` of the journal."""

    changes: Any
    seq: int


class Replica(Protocol):
    """The part of some tables that a process holds in memory."""

    def load(self, connection: Connection, after: int) -> Any:  # noqa: ANN401
        """Load what has changed after the entry `after` of the journal; 0 stands for everything.

        A table may have many rows. `load` then returns a Page, and is called again for the rest: so
        no transaction exceeds its timeout, and no call of `apply` holds the event loop. Runs in a
        thread.
        """

    def apply(self, loaded: Any) -> None:  # noqa: ANN401
        """Put into force what `load` has returned. Runs in the event loop."""


@dataclass(slots=True, eq=False)
class _Followed:
    """A replica, and the last entry of the journal that it has; None before its first load.

    `error` is what prevented its last load.
    """

    replica: Replica
    name: str
    seq: int | None = None
    is_loaded: bool = False
    error: Exception | None = None


class ChangeFeed:
    """Loads the replicas at the start, and again after each change."""

    # Invariants:
    # - A replica has all changes up to its `seq`. A replica that is added while a read is under way
    #   is not in that read, so it has a `seq` of its own.
    # - Reads follow each other, so that none puts older changes in force after newer ones.
    # - `_head` is the last entry of the latest read. If the journal no longer has it, the database
    #   is another one, such as a restored backup, and each replica is loaded again.
    # - A replica that cannot be loaded, such as for a row that was edited by hand, stays as it was,
    #   and is loaded again with each read. The others go on.

    def __init__(self, database: Database, clock: Clock, *, poll_seconds: float) -> None:
        self._database = database
        self._clock = clock
        self._poll_seconds = poll_seconds
        self._followed = list[_Followed]()
        self._reading = asyncio.Lock()
        self._head: JournalHead | None = None
        self._has_read = False
        self._read_at = clock.monotonic()

    def __repr__(self) -> str:
        seqs = [it.seq for it in self._followed]
        return f"<{type(self).__name__} seqs={seqs} age={self.age:.1f}>"

    @property
    def is_loaded(self) -> bool:
        """Whether each replica has been loaded once. Until then, a process is not ready."""
        return self._has_read and all(it.is_loaded for it in self._followed)

    @property
    def age(self) -> float:
        """The seconds since the replicas were known to be up to date."""
        return self._clock.monotonic() - self._read_at

    @property
    def is_stale(self) -> bool:
        """Whether the database could not be read for several polls, and for 5 seconds."""
        return self.age > max(_MIN_STALE_SECONDS, _STALE_POLLS * self._poll_seconds)

    @property
    def failures(self) -> dict[str, str]:
        """The kind of exception by the name of each replica that cannot be loaded."""
        return {it.name: type(it.error).__name__ for it in self._followed if it.error}

    def add(self, replica: Replica, name: str = "") -> None:
        """Keep a replica up to date; it is loaded with the next read. Logs have its name."""
        self._followed.append(_Followed(replica, name or type(replica).__name__))

    async def watch(self) -> None:
        """Read the journal every `poll_seconds` until cancelled.

        A read takes a part of that time, so that a busy process is not later than an idle one.
        """
        while True:
            started = self._clock.monotonic()
            # `Database` has logged why it is unavailable. What is loaded stays in force.
            with suppress(DatabaseUnavailable):
                await self.refresh()
            elapsed = self._clock.monotonic() - started
            await self._clock.sleep(self._poll_seconds - min(elapsed, self._poll_seconds / 2))

    async def refresh(self) -> None:
        """Load what has changed, if anything has; at once after a change by this process.

        Raises:
            DatabaseUnavailable: the database does not respond; the replicas are as they were.
        """
        async with self._reading:
            while not await self._read():
                pass

    async def _read(self) -> bool:
        """Load what has changed; return whether that is all."""
        started, followed = self._clock.monotonic(), list(self._followed)
        found = await self._database.read(partial(_load, followed, self._head))
        if found.is_other_journal and self._head is not None:
            fields = {"seq": found.head.seq, "last_seq": self._head.seq}
            log_event(log, "database.restored", WARNING, **fields)
        self._head, seq = found.head, found.head.seq
        for it, changes in found.loaded:
            _apply(it, changes, seq)
        if any(not it.error and (not it.is_loaded or it.seq != seq) for it in followed):
            return False
        self._has_read = True
        self._read_at = started
        return True


def _apply(followed: _Followed, changes: Any, seq: int) -> None:  # noqa: ANN401 - of any replica
    """Put into force what a replica has loaded, or keep the error that prevented it."""
    error = changes if isinstance(changes, Exception) else None
    if error is None:
        try:
            followed.replica.apply(changes)
        except Exception as raised:  # noqa: BLE001 - the other replicas must go on
            error = raised
    if error is not None:
        if followed.error is None:
            log_event(log, "database.unreadable", ERROR, error, content=followed.name)
        followed.error = error
        return
    if followed.error is not None:
        log_event(log, "database.readable", content=followed.name)
    followed.error = None
    is_page = isinstance(changes, Page)
    followed.seq = changes.seq if is_page else seq
    followed.is_loaded = followed.is_loaded or not is_page


class _Found(NamedTuple):
    """The last entry of the journal, whether the journal is another one, and what was loaded.

    In place of what a replica has loaded, there may be the exception that prevented it.
    """

    head: JournalHead
    is_other_journal: bool
    loaded: list[tuple[_Followed, Any]]


def _load(
    followed: Sequence[_Followed], known: JournalHead | None, connection: Connection
) -> _Found:
    """Load the changes of each replica that is not up to date, in one transaction."""
    head = read_head(connection)
    # A journal with the same last entry is the same one, so that most reads are this one statement.
    is_other = known not in (None, head) and read_hash(connection, known.seq) != known.hash
    loaded = list[tuple[_Followed, Any]]()
    for it in followed:
        if is_other:
            it.seq = 0  # also if it cannot be loaded now
        if is_other or not it.is_loaded or it.error or it.seq != head.seq:
            loaded.append((it, _load_one(it, connection)))
    return _Found(head, is_other, loaded)


def _load_one(followed: _Followed, connection: Connection) -> Any:  # noqa: ANN401 - of any replica
    """Return what a replica has loaded, or the exception that prevents it.

    Raises:
        Exception: the database is unavailable, for each replica.
    """
    try:
        with connection.begin_nested():  # PostgreSQL runs no statement after one that failed
            return followed.replica.load(connection, followed.seq or 0)
    except Exception as error:
        if explain_unavailability(error, connection.engine.url, is_writing=False):
            raise
        return error
