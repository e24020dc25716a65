"""Keeps the keys of one issuer: background refresh, and a cool-down for unknown key ids."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from logging import DEBUG, ERROR, INFO, WARNING, getLogger

from gateway.auth.clock import Clock
from gateway.auth.jwks.fetch import KeysUnavailable
from gateway.auth.jwks.key_set import KeySet
from gateway.auth.jwt.signatures import Key
from gateway.background_tasks import cancel_and_wait, keep_running
from gateway.errors.tree import IdentityUnavailable, Unauthenticated
from gateway.settings.schema import Tokens
from gateway.telemetry.log import log_event

MAX_WAITERS = 256
MAX_RETRY_AFTER = 300.0
"""The maximum of seconds for which the refresh heeds `Retry-After`."""

_REQUESTS_PER_WAITER = 10

log = getLogger("lockgate.auth")


def count_waiters(max_in_flight: int) -> int:
    """Return how many of the requests in flight may wait for an unknown key: a tenth.

    Anybody can send tokens with invented key ids, which wait for a whole cool-down. They must not
    take the places of requests whose keys are known.
    """
    return max(1, min(MAX_WAITERS, max_in_flight // _REQUESTS_PER_WAITER))


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
    #   or fail, and whether a token or the refresh asked for them. A shorter refresh interval
    #   shortens the cool-down.
    # - Keys outlive failures. A failed fetch leaves the keys of the last successful one in use, for
    #   `keys_max_stale_seconds` after the start of that one. A successful fetch replaces them all,
    #   also by none.
    # - Unknown `kid`. A key id is unknown (401) only if a fetch that started after the token
    #   arrived has succeeded without it. An earlier fetch may have read the key set before the
    #   key was published. So a client with invented key ids can use up the cool-down, but it
    #   cannot have a valid token refused: that token waits for the next fetch.
    # - Failed signature. The provider may have published a new key under an old `kid`. If the
    #   cool-down permits, the token waits for a fetch. Otherwise it is refused at once, and a fetch
    #   starts when the cool-down ends: an attacker can delay neither valid tokens nor the new key.
    # - Bounded waiting. A task waits for a fetch only in one of `waiter_slots`; without a free one
    #   it gets a 503 at once. So tokens with invented key ids delay no request with a known key.
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
        self._interval = tokens.keys_refresh_seconds
        self._cooldown = min(tokens.keys_cooldown_seconds, self._interval)
        self._max_stale = tokens.keys_max_stale_seconds
        self._clock = clock
        self._fetches_started = 0
        self._last_fetch_started_at = float("-inf")
        self._last_successful_fetch = 0
        self._last_success_started_at = float("-inf")
        self._is_fetching = False
        self._last_error = ""
        self._retry_after = 0.0
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
        await cancel_and_wait(*tasks)

    def health(self) -> KeyStatus:
        """Return the state of the keys."""
        if not self._keys.ids:
            return KeyStatus.NO_KEYS
        return KeyStatus.STALE if self._last_error else KeyStatus.OK

    async def get_keys(
        self, key_id: str | None, algorithm: str, tenant: str | None = None
    ) -> Sequence[Key]:
        """Return the keys that may have signed a token; wait for a fetch if its `kid` is unknown.

        The sequence is empty if the keys with that id do not fit the algorithm or the tenant.

        Raises:
            Unauthenticated: the issuer has no such key.
            IdentityUnavailable: the keys could not be fetched, or too many tasks wait for them.
        """
        if not self._keys.may_have(key_id):
            await self._wait_for_key(key_id)
        return self._keys.find(key_id, algorithm, tenant)

    async def refetch(self, version: int) -> bool:
        """Fetch the keys again after no key of that `version` has verified a signature.

        Return whether there are other keys now. During the cool-down, only schedule the fetch.

        Raises:
            IdentityUnavailable: too many tasks wait for the fetch, which may bring the key.
        """
        if self.version != version:
            return True
        if self._cooldown_left() > 0 and not self._is_fetching:
            self._start_fetch()
            return False
        if self._waiter_slots.locked():
            self._start_fetch()
            raise self._refuse("too many requests wait for unknown keys")
        async with self._waiter_slots:
            await self._wait_for_fetch()
        return self.version != version

    async def _wait_for_key(self, key_id: str | None) -> None:
        """Wait until the key id is known, or until it is certain that it is unknown."""
        if self._waiter_slots.locked():
            raise self._refuse("too many requests wait for unknown keys")
        async with self._waiter_slots:
            fetches_before = self._fetches_started
            while not self._keys.may_have(key_id):
                # A fetch that started after the token arrived has succeeded without the key.
                if self._last_successful_fetch > fetches_before:
                    raise Unauthenticated("unknown_key", self._keys.explain_absence(key_id))
                # The last fetch failed and the next may not start yet: fail fast.
                if self._last_error and not self._is_fetching and self._cooldown_left() > 0:
                    raise self._refuse(self._last_error)
                await self._wait_for_fetch()
                # That fetch failed: it says nothing about the key.
                if self._last_error:
                    raise self._refuse(self._last_error)

    def _refuse(self, explanation: str) -> IdentityUnavailable:
        return IdentityUnavailable(self._cooldown_left(), self.issuer, explanation)

    async def _wait_for_fetch(self) -> None:
        """Wait for the fetch in flight, or else for the next one that the cool-down permits."""
        # Not `await`: when a waiting task is cancelled, the fetch goes on for the others.
        await asyncio.wait({self._start_fetch()})

    def _start_fetch(self) -> asyncio.Task[None]:
        """Return the fetch in flight, or start one, which waits for the end of the cool-down."""
        if self._pending_fetch is None or self._pending_fetch.done():
            self._pending_fetch = asyncio.create_task(self._fetch_after_cooldown())
        return self._pending_fetch

    async def _fetch_after_cooldown(self) -> None:
        while (cooldown := self._cooldown_left()) > 0:
            await self._clock.sleep(cooldown)
        self._fetches_started += 1
        started_at = self._last_fetch_started_at = self._clock.monotonic()
        self._is_fetching = True
        fetch_number = self._fetches_started
        try:
            self._store_keys(await self._fetch())
            self._record_success(fetch_number)
            self._last_success_started_at = started_at
        except Exception as exc:  # noqa: BLE001 - whatever the error, the known keys stay in use
            self._record_failure(exc)
        finally:
            self._is_fetching = False

    def _record_success(self, fetch_number: int) -> None:
        if self._last_error:
            log_event(log, "keys.fetch_recovered", issuer=self.issuer)
        self._last_successful_fetch, self._last_error, self._retry_after = fetch_number, "", 0.0

    def _record_failure(self, exc: Exception) -> None:
        """Keep the error, and log it unless it is that of the fetch before."""
        is_expected = isinstance(exc, KeysUnavailable)
        earlier = self._last_error
        self._last_error = (str(exc) if is_expected else "") or type(exc).__name__
        retry_after = exc.retry_after if isinstance(exc, KeysUnavailable) else None
        self._retry_after = min(retry_after or 0.0, MAX_RETRY_AFTER)
        level, error = (WARNING, None) if is_expected else (ERROR, exc)
        if self._last_error != earlier:
            log_event(
                log, "keys.fetch_failed", level, error, issuer=self.issuer, reason=self._last_error
            )

    def _store_keys(self, keys: KeySet) -> None:
        self._log_ignored(keys)
        if keys != self._keys:
            self.version += 1
            level = INFO if keys.ids else WARNING
            count = sum(map(len, keys.by_id.values()))
            log_event(log, "keys.changed", level, issuer=self.issuer, key_count=count)
        self._keys = keys

    def _log_ignored(self, keys: KeySet) -> None:
        """Log the keys that are meant for signatures and not usable, if there are others now."""
        if keys.ignored != self._keys.ignored:
            for key in keys.ignored:
                level = WARNING if key.is_intended else DEBUG
                fields = {"issuer": self.issuer, "key_id": key.key_id, "reason": key.reason}
                log_event(log, "keys.ignored", level, **fields)

    async def _refresh_periodically(self) -> None:
        """Fetch every `keys_refresh_seconds`; after a failure, as soon as the cool-down permits.

        It also waits as long as the provider demands; a token with an unknown key does not.
        """
        while True:
            wait = max(self._cooldown, self._retry_after) if self._last_error else self._interval
            left = self._last_fetch_started_at + wait - self._clock.monotonic()
            if left > 0:
                # A token may cause a fetch that fails: look again after a cool-down.
                await self._clock.sleep(min(left, self._cooldown))
            else:
                await self._wait_for_fetch()
            self._drop_stale_keys()

    def _drop_stale_keys(self) -> None:
        age = self._clock.monotonic() - self._last_success_started_at
        if self._last_error and self._keys.ids and age >= self._max_stale:
            self._keys = KeySet()
            self.version += 1
            log_event(log, "keys.expired", ERROR, issuer=self.issuer, reason=self._last_error)

    def _cooldown_left(self) -> float:
        """Seconds until the next fetch may start."""
        elapsed = self._clock.monotonic() - self._last_fetch_started_at
        return max(0.0, self._cooldown - elapsed)
