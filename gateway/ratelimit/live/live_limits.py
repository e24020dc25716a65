"""`LiveLimits`: lists the policies, and changes their live values while traffic runs."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from sqlalchemy import Connection

from gateway.auth.clock import Clock
from gateway.errors.tree import DatabaseUnavailable
from gateway.ratelimit.limiter import ClearableCounts
from gateway.ratelimit.live.change_errors import NoDatabase, UnknownPolicy
from gateway.ratelimit.live.check_change import (
    check_author,
    check_key,
    check_rollback,
    prepare_change,
)
from gateway.ratelimit.live.limit_history import HistoryEntry, read_history
from gateway.ratelimit.live.live_document import LiveDocument
from gateway.ratelimit.live.live_policies import LivePolicies, LiveState
from gateway.ratelimit.live.reset_counts import clear_everywhere
from gateway.ratelimit.live.write_limit import change_limit, record_reset, roll_back_limit
from gateway.ratelimit.policy import Policy
from gateway.ratelimit.policy_in_force import PolicyInForce
from gateway.settings.errors import suggest_nearest
from gateway.storage.journal import Author
from gateway.storage.open_storage import Storage

CHANGE_MESSAGE, RESET_MESSAGE = b"change", b"reset"


class Publisher(Protocol):
    """Notifies the other processes, if there is a Redis."""

    async def publish(self, message: bytes) -> None:
        """Send a message to them; they do not depend on it."""


@dataclass(frozen=True, slots=True)
class LiveStore:
    """Where live documents are kept, and how the other processes are notified, if at all."""

    storage: Storage
    publisher: Publisher | None = None


@dataclass(frozen=True, slots=True)
class PolicyView:
    """A policy as the code, the settings and the live document have it, and what is in force.

    `settings` is None if they do not change it. `document` has nothing that has ended, and is None
    if nothing is left. `version` is 0 if the policy was never changed; `changed_at` (epoch seconds)
    and `author` are then None. `fault` says why the document is not in force, or is empty.
    """

    name: str
    declared: Policy
    settings: Policy | None
    document: LiveDocument | None
    in_force: PolicyInForce
    version: int
    changed_at: float | None
    author: Author | None
    fault: str = ""


@dataclass(frozen=True, slots=True)
class UnusedDocument:
    """A live document of a policy that the code no longer declares."""

    policy: str
    version: int
    fault: str


class LiveLimits:
    """Changes the live documents of policies, each at the version that its author has seen.

    A change is in force in this process when the call returns, and in the others within a second.
    """

    def __init__(
        self,
        declared: Mapping[str, Policy],
        policies: LivePolicies,
        limiter: ClearableCounts,
        store: LiveStore | None = None,
        *,
        clock: Clock | None = None,
    ) -> None:
        self._declared = declared
        self._policies = policies
        self._limiter = limiter
        self._store = store
        self._clock = clock or Clock()

    def list(self) -> Sequence[PolicyView]:
        """Return all policies, in the order of their declaration."""
        return [self.get(name) for name in self._policies.names]

    def list_unused(self) -> Sequence[UnusedDocument]:
        """Return the documents that no policy of the code uses."""
        return [
            UnusedDocument(state.stored.policy, state.stored.version, state.fault)
            for state in self._policies.list_unused()
        ]

    def get(self, name: str) -> PolicyView:
        """Return one policy, from memory, as it is at this moment.

        Raises:
            UnknownPolicy: the code declares no such policy.
        """
        base, now = self._find_base(name), self._clock.now()
        self._policies.end(now)  # so that the document has what is in force
        state = self._policies.find_state(name)
        stored, document = state.stored, state.document
        return PolicyView(
            name=name,
            declared=self._declared.get(name, base.policy),
            settings=base.policy if base.source == "settings" else None,
            document=None if document is None else document.drop_ended(now),
            in_force=self._policies.find_in_force(name),
            version=stored.version,
            changed_at=stored.changed_at if stored.version else None,
            author=stored.author if stored.version else None,
            fault=state.fault,
        )

    async def change(
        self, name: str, document: LiveDocument, *, if_version: int, author: Author
    ) -> PolicyView:
        """Replace the live document of a policy; one that overrides nothing removes it.

        The document that is there already writes nothing: the version stays.

        Raises:
            UnknownPolicy: the code declares no such policy.
            NoDatabase: the gateway has no database.
            InvalidDocument: it does not fit the policy; the one in force stays.
            VersionConflict: the policy is not at `if_version`.
            DatabaseUnavailable: the database does not respond, or refuses to.
        """
        base, store = self._find_base(name), self._require_store()
        check_author(author)
        current = self._policies.find_state(name).document
        # In threads: a document with many overrides takes tens of milliseconds.
        now = self._clock.now()
        text = await asyncio.to_thread(prepare_change, base, document, current, now)

        def write(connection: Connection) -> LiveState:
            stored = change_limit(connection, name, text, if_version, author)
            return self._policies.read_state(stored)

        return await self._put(store, await store.storage.database.write(write))

    async def rollback(
        self, name: str, to_version: int, *, if_version: int, author: Author
    ) -> PolicyView:
        """Make the document of an earlier version the live one, as a new version; 0 had none.

        If it is the live one already, nothing is written: the version stays.

        Raises:
            UnknownPolicy: the code declares no such policy.
            NoDatabase: the gateway has no database.
            InvalidDocument: the document no longer fits the policy.
            VersionConflict: the policy is not at `if_version`.
            UnknownVersion: the policy never had the version `to_version`.
            DatabaseUnavailable: the database does not respond, or refuses to.
        """
        base, store = self._find_base(name), self._require_store()
        check_author(author)

        def write(connection: Connection) -> LiveState:
            stored = roll_back_limit(connection, name, to_version, if_version, author)
            check_rollback(base, stored.document)
            return self._policies.read_state(stored)

        return await self._put(store, await store.storage.database.write(write))

    async def history(
        self, name: str, limit: int = 50, before: int | None = None
    ) -> Sequence[HistoryEntry]:
        """Return at most `limit` entries of the journal, the newest first.

        They are those before the entry `before`.

        Raises:
            UnknownPolicy: the code declares no such policy.
            NoDatabase: the gateway has no database.
            DatabaseUnavailable: the database does not respond, or refuses to.
        """
        self._find_base(name)
        read = partial(read_history, policy=name, limit=limit, before=before)
        return await self._require_store().storage.database.read(read)

    async def reset(
        self, name: str, partition: str, author: Author, caller: str | None = None
    ) -> None:
        """Clear the counts of one caller: in Redis, and in each process within a second.

        `caller` names it in the history, where its partition is a hash.

        Raises:
            UnknownPolicy: the code declares no such policy.
            NoDatabase: the gateway has no database.
            InvalidDocument: the partition is no key of this policy.
            DatabaseUnavailable: the database does not respond, or refuses to.
            RateLimiterUnavailable: Redis does not respond; its counts stay.
        """
        base, store = self._find_base(name), self._require_store()
        check_author(author)
        check_key(base.policy, partition)
        record = partial(
            record_reset, policy=name, partition=partition, author=author, caller=caller
        )
        await store.storage.database.write(record)
        await _refresh(store)
        try:
            in_force = base, self._policies.find_in_force(name)
            await clear_everywhere(self._limiter, in_force, partition)
        finally:
            await _publish(store, RESET_MESSAGE)

    async def _put(self, store: LiveStore, state: LiveState) -> PolicyView:
        """Put a committed change in force here, and notify the others."""
        # At once, and not only with the next read: the database may be gone by then.
        self._policies.put([state], self._clock.now())
        await _publish(store, CHANGE_MESSAGE)
        await _refresh(store)
        return self.get(state.stored.policy)

    def _find_base(self, name: str) -> PolicyInForce:
        base = self._policies.find_base(name)
        if base is None:
            raise UnknownPolicy(name, suggest_nearest(name, self._policies.names))
        return base

    def _require_store(self) -> LiveStore:
        if self._store is None:
            raise NoDatabase
        return self._store


async def _publish(store: LiveStore, message: bytes) -> None:
    if store.publisher is not None:
        await store.publisher.publish(message)


async def _refresh(store: LiveStore) -> None:
    """Read what has changed; if the database is gone meanwhile, the feed does so later."""
    with suppress(DatabaseUnavailable):
        await store.storage.feed.refresh()
