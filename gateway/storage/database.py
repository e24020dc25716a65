"""Runs transactions in threads, with a bound on their number and on their time.

SQLAlchemy is used synchronously: the command line and the event loop run the same functions. A
function gets a `Connection` inside a transaction, and returns what the caller needs.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from enum import Enum
from logging import ERROR, WARNING, getLogger
from typing import NoReturn, TypeVar

from sqlalchemy import Connection, Engine

from gateway.errors.tree import DatabaseUnavailable
from gateway.storage.engine import is_sqlite
from gateway.storage.failures import explain_unavailability
from gateway.storage.writing import allow_writing
from gateway.telemetry.log import log_event

COOLDOWN_SECONDS = 1.0
"""How long calls fail at once after one has lost its connection, or got none."""

log = getLogger("lockgate.storage")

T = TypeVar("T")
Transaction = Callable[[Connection], T]


class TransactionFailed(DatabaseUnavailable):
    """A transaction failed alone, such as in its wait for a lock; others may succeed."""


class DatabaseState(Enum):
    """The state that the last transaction has found."""

    OK = "ok"
    UNAVAILABLE = "unavailable"


class Database:
    """A database whose transactions last at most `timeout` seconds each.

    A transaction whose time is over before its commit is rolled back, also if its caller has gone.
    """

    def __init__(self, engine: Engine, *, timeout: float, max_connections: int) -> None:
        self.engine = engine
        self._timeout = timeout
        threads = 1 if is_sqlite(engine) else max_connections
        self._slots = asyncio.Semaphore(threads)
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="database")
        self._state = DatabaseState.OK
        self._retry_at = 0.0

    def __repr__(self) -> str:
        return f"<Database {self.engine.dialect.name} {self._state.value}>"

    @property
    def state(self) -> DatabaseState:
        """The state that the last transaction has found."""
        return self._state

    async def read(self, transaction: Transaction[T]) -> T:
        """Run a transaction that only reads.

        Raises:
            DatabaseUnavailable: the database does not respond within the timeout, or refuses to.
        """
        return await self._run(transaction, is_writing=False)

    async def write(self, transaction: Transaction[T]) -> T:
        """Run a transaction that may write; it is committed if it returns.

        Raises:
            DatabaseUnavailable: the database does not respond within the timeout, or refuses to.
                Nothing is written, unless the connection was lost during the commit itself.
        """
        return await self._run(transaction, is_writing=True)

    def read_now(self, transaction: Transaction[T]) -> T:
        """As `read`. Blocks."""
        return self._transact(transaction, is_writing=False, deadline=self._find_deadline())

    def write_now(self, transaction: Transaction[T]) -> T:
        """As `write`. Blocks."""
        return self._transact(transaction, is_writing=True, deadline=self._find_deadline())

    def close(self) -> None:
        """Wait for the transactions, which are bounded, and close the connections. Blocks."""
        self._executor.shutdown(cancel_futures=True)
        self.engine.dispose()

    async def _run(self, transaction: Transaction[T], *, is_writing: bool) -> T:
        if time.monotonic() < self._retry_at:
            raise DatabaseUnavailable(COOLDOWN_SECONDS, "it was unavailable a moment ago")
        deadline = self._find_deadline()
        try:
            async with asyncio.timeout(self._timeout):
                await self._slots.acquire()
        except TimeoutError:
            raise DatabaseUnavailable(COOLDOWN_SECONDS, "all connections are in use") from None
        future = self._start(transaction, is_writing=is_writing, deadline=deadline)
        # The commit may begin just before the deadline, and takes at most one timeout more.
        done, _ = await asyncio.wait({future}, timeout=deadline + self._timeout - time.monotonic())
        is_available = True
        try:
            return future.result() if done else self._give_up()
        except TransactionFailed as error:
            log_event(log, "database.transaction_failed", WARNING, reason=error.explanation)
            raise
        except DatabaseUnavailable as error:
            is_available = False
            self._record_failure(error.explanation)
            raise
        finally:
            # A mistake in the transaction also shows that the database responds.
            if is_available:
                self._record_success()

    def _give_up(self) -> NoReturn:
        reason = f"no response within {2 * self._timeout:g} s"
        raise DatabaseUnavailable(COOLDOWN_SECONDS, reason)

    def _start(
        self, transaction: Transaction[T], *, is_writing: bool, deadline: float
    ) -> asyncio.Future[T]:
        """Start a thread; its slot is free again at its end, whether or not its caller waits."""
        loop = asyncio.get_running_loop()

        def release(_: Future[T]) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._slots.release)

        started = self._executor.submit(
            self._transact, transaction, is_writing=is_writing, deadline=deadline
        )
        started.add_done_callback(release)
        future = asyncio.wrap_future(started, loop=loop)
        future.add_done_callback(_retrieve_exception)
        return future

    def _transact(self, transaction: Transaction[T], *, is_writing: bool, deadline: float) -> T:
        try:
            return self._run_transaction(transaction, is_writing=is_writing, deadline=deadline)
        except Exception as error:
            found = explain_unavailability(error, self.engine.url, is_writing=is_writing)
            if found is None:
                raise
            kind = DatabaseUnavailable if found.is_general else TransactionFailed
            raise kind(COOLDOWN_SECONDS, found.explanation) from error

    def _run_transaction(
        self, transaction: Transaction[T], *, is_writing: bool, deadline: float
    ) -> T:
        with self.engine.connect() as connection:
            if is_writing:
                allow_writing(connection)
            with connection.begin():
                result = transaction(connection)
                if time.monotonic() > deadline:
                    reason = f"the transaction took longer than {self._timeout:g} s"
                    raise TransactionFailed(COOLDOWN_SECONDS, reason)
            return result

    def _find_deadline(self) -> float:
        return time.monotonic() + self._timeout

    def _record_success(self) -> None:
        if self._state is not DatabaseState.OK:
            self._state = DatabaseState.OK
            log_event(log, "database.recovered")

    def _record_failure(self, reason: str) -> None:
        self._retry_at = time.monotonic() + COOLDOWN_SECONDS
        if self._state is not DatabaseState.UNAVAILABLE:
            self._state = DatabaseState.UNAVAILABLE
            log_event(log, "database.unavailable", ERROR, reason=reason)


def _retrieve_exception(future: asyncio.Future[T]) -> None:
    """Retrieve the exception of a transaction whose caller has gone: asyncio would log it."""
    if not future.cancelled():
        future.exception()
