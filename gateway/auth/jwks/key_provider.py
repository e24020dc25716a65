"""Keeps the keys of one issuer: background refresh, and a cool-down for unknown key ids."""

import asyncio
from collections.abc import Awaitable, Callable
from enum import StrEnum
from logging import ERROR, WARNING, getLogger

from gateway.auth.clock import Clock
from gateway.auth.jwks.fetch import KeysUnavailable
from gateway.auth.jwks.key_set import KeySet
from gateway.auth.jwt.signatures import Key
from gateway.background_tasks import keep_running
from gateway.errors.tree import IdentityUnavailable, Unauthenticated
from gateway.settings.schema import Tokens
from gateway.telemetry.log import log_event

MAX_WAITERS = 256

log = getLogger("lockgate.auth")


class KeyStatus(StrEnum):
    """The state of an issuer's keys, as `/readyz` shows it."""

    OK = "ok"  # the last fetch succeeded
    STALE = "stale"  # the last fetch failed; the keys of an earlier one are in use
    NO_KEYS = "no keys"  # no fetch has succeeded yet


class KeyProvider:
    """The keys of one issuer, fetched at most once per `keys_cooldown_seconds`.

    `version` increases whenever the keys change. A task that waits for an unknown key takes one of
    `waiter_slots`, which several providers may share.
    """

    # Invariants:
    #
    # - One fetch at a time. All tasks that need a fetch wait for the same `_pending_fetch`, which
    #   first sleeps for the rest of the cool-down. It goes on when a waiting task is cancelled.
    # - Cool-down. Two fetches start at least `keys_cooldown_seconds` apart, whether they succeed
    #   or fail, and whether a token or the refresh asked for them.
    # - Keys are never lost. A failed fetch leaves the keys of the last successful one in use.
    # - Unknown `kid`. A key id is unknown (401) only if a fetch that started after the token
    #   arrived has succeeded without it. An earlier fetch may have read the key set before the
    #   key was published. So a client with invented key ids can use up the cool-down, but it
    #   cannot have a valid token refused: that token waits for the next fetch.
    # - Bounded waiting. A task waits for an unknown key only in one of `waiter_slots`, by default
    #   `MAX_WAITERS`; without a free one it gets a 503 at once.
    #
    # Fetches are numbered in the order in which they start: `_fetches_started` is the number of
    # the newest, `_last_successful_fetch` that of the newest that succeeded. `_last_error` is
    # empty if the last completed fetch succeeded; it stays set while the next one is in flight.

    def __init__(
        self,
        issuer: str,
        fetch: Callable[[], Awaitable[KeySet]],
        tokens: Tokens,
        clock: Clock,
        *,
        waiter_slots: asyncio.Semaphore | None = None,
    ) -> None:
        self.issuer = issuer
        self.version = 0
        self._keys = KeySet()
        self._fetch = fetch
        self._tokens = tokens
        self._clock = clock
        self._fetches_started = 0
        self._last_fetch_started_at = float("-inf")
        self._last_successful_fetch = 0
        self._is_fetching = False
        self._last_error = ""
        self._waiter_slots = waiter_slots or asyncio.Semaphore(MAX_WAITERS)
        self._pending_fetch: asyncio.Task[None] | None = None
        self._refresh_task: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return (
            f"<KeyProvider {self.issuer!r} status={self.health().value!r} "
            f"keys={len(self._keys.ids)} version={self.version} "
            f"fetches_started={self._fetches_started} is_fetching={self._is_fetching} "
            f"cooldown_left={self._cooldown_left():.3f} last_error={self._last_error!r}>"
        )

    async def start(self) -> str:
        """Fetch the keys and start the background refresh.

        Return the error of the first fetch, or "" if it succeeded.
        """
        await self._wait_for_fetch()
        name = f"key refresh of {self.issuer}"
        self._refresh_task = asyncio.create_task(
            keep_running(name, self._refresh_periodically), name=name
        )
        return self._last_error

    async def close(self) -> None:
        """Stop the refresh and the fetch in flight. Tasks that wait for a key get a 503."""
        self._last_error = "closed"
        tasks = [task for task in (self._refresh_task, self._pending_fetch) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def health(self) -> KeyStatus:
        """Return the state of the keys."""
        if not self._keys.ids:
            return KeyStatus.NO_KEYS
        return KeyStatus.STALE if self._last_error else KeyStatus.OK

    async def get_key(self, key_id: str, algorithm: str) -> Key:
        """Return the key with that id; wait for a fetch if the id is not among the known ones.

        Raises:
            Unauthenticated: the issuer has no such key, or not for that algorithm.
            IdentityUnavailable: the keys could not be fetched, or too many tasks wait for them.
        """
        if key_id not in self._keys.ids:
            await self._wait_for_key(key_id)
        key = self._keys.find(key_id, algorithm)
        if key is None:
            raise Unauthenticated("algorithm_not_allowed_for_key")
        return key

    async def _wait_for_key(self, key_id: str) -> None:
        """Wait until the key id is known, or until it is certain that it is unknown."""
        if self._waiter_slots.locked():
            raise IdentityUnavailable(self._cooldown_left())
        async with self._waiter_slots:
            fetches_before = self._fetches_started
            while key_id not in self._keys.ids:
                # A fetch that started after the token arrived has succeeded without the key.
                if self._last_successful_fetch > fetches_before:
                    raise Unauthenticated("unknown_key")
                # The last fetch failed and the next may not start yet: fail fast.
                if self._last_error and not self._is_fetching and self._cooldown_left() > 0:
                    raise IdentityUnavailable(self._cooldown_left())
                await self._wait_for_fetch()
                # That fetch failed: it says nothing about the key.
                if self._last_error:
                    raise IdentityUnavailable(self._cooldown_left())

    async def _wait_for_fetch(self) -> None:
        """Wait for the fetch in flight, or else for the next one that the cool-down permits."""
        if self._pending_fetch is None or self._pending_fetch.done():
            self._pending_fetch = asyncio.create_task(self._fetch_after_cooldown())
        # Not `await`: when a waiting task is cancelled, the fetch goes on for the others.
        await asyncio.wait({self._pending_fetch})

    async def _fetch_after_cooldown(self) -> None:
        while (cooldown := self._cooldown_left()) > 0:
            await self._clock.sleep(cooldown)
        self._fetches_started += 1
        self._last_fetch_started_at = self._clock.monotonic()
        self._is_fetching = True
        fetch_number = self._fetches_started
        try:
            self._store_keys(await self._fetch())
            self._last_successful_fetch, self._last_error = fetch_number, ""
        except Exception as exc:  # noqa: BLE001 - whatever the error, the known keys stay in use
            self._record_failure(exc)
        finally:
            self._is_fetching = False

    def _record_failure(self, exc: Exception) -> None:
        is_expected = isinstance(exc, KeysUnavailable)
        self._last_error = (str(exc) if is_expected else "") or type(exc).__name__
        level, error = (WARNING, None) if is_expected else (ERROR, exc)
        log_event(
            log, "keys.fetch_failed", level, error, issuer=self.issuer, reason=self._last_error
        )

    def _store_keys(self, keys: KeySet) -> None:
        if keys != self._keys:
            self._keys = keys
            self.version += 1
            log_event(log, "keys.changed", issuer=self.issuer, key_count=len(keys.ids))

    async def _refresh_periodically(self) -> None:
        """Fetch every `keys_refresh_seconds`; after a failure, as soon as the cool-down permits."""
        cooldown, interval = self._tokens.keys_cooldown_seconds, self._tokens.keys_refresh_seconds
        while True:
            await self._clock.sleep(min(cooldown, interval))
            age = self._clock.monotonic() - self._last_fetch_started_at
            if self._last_error or age >= interval:
                await self._wait_for_fetch()

    def _cooldown_left(self) -> float:
        """Seconds until the next fetch may start."""
        elapsed = self._clock.monotonic() - self._last_fetch_started_at
        return max(0.0, self._tokens.keys_cooldown_seconds - elapsed)
