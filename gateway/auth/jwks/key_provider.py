"""One identity provider's keys: fetched one at a time, seldom, and never lost again.

A key id is unknown only once a fetch that began after the token came has not brought it.
Until then the token waits: strangers who use up the cool-down cannot have it refused.
"""

import asyncio
from collections.abc import Awaitable, Callable
from logging import ERROR, WARNING, getLogger

from jose.backends.base import Key

from gateway.auth.clock import Clock
from gateway.auth.jwks.fetch import KeysUnavailable
from gateway.auth.jwks.key_set import KeySet
from gateway.errors.tree import IdentityUnavailable, Unauthenticated
from gateway.settings.schema import Tokens
from gateway.telemetry.log import log_event

MAX_WAITING = 256

log = getLogger("lockgate.auth")


class KeyProvider:
    """The keys of one issuer; at most one fetch begins in `keys_cooldown_seconds`.

    Whoever waits for a key takes one of `places`; several providers may share them.
    """

    def __init__(
        self,
        issuer: str,
        fetch: Callable[[], Awaitable[KeySet]],
        tokens: Tokens,
        clock: Clock,
        *,
        places: asyncio.Semaphore | None = None,
    ) -> None:
        self.issuer = issuer
        self.version = 0
        self._keys = KeySet()
        self._fetch = fetch
        self._tokens = tokens
        self._clock = clock
        self._begun = 0
        self._heard = 0
        self._begun_at = float("-inf")
        self._in_flight = False
        self._failed = ""
        self._places = places or asyncio.Semaphore(MAX_WAITING)
        self._round: asyncio.Task[None] | None = None
        self._refreshing: asyncio.Task[None] | None = None

    async def start(self) -> str:
        """Fetch the keys, and go on fetching; says why there are none, or nothing."""
        await self._next_fetch()
        self._refreshing = asyncio.create_task(self._refresh(), name=f"keys of {self.issuer}")
        return self._failed

    async def close(self) -> None:
        """End what was started."""
        self._failed = "closed"
        tasks = [task for task in (self._refreshing, self._round) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def health(self) -> str:
        """Whether the keys are fresh ("ok"), old ("stale") or not there ("no keys")."""
        if not self._keys.ids:
            return "no keys"
        return "stale" if self._failed else "ok"

    async def key(self, key_id: str, algorithm: str) -> Key:
        """The key of that id, waiting for a fetch if it is not among those at hand.

        Raises:
            Unauthenticated: the provider has no such key, or not for that algorithm.
            IdentityUnavailable: the provider cannot be asked now.
        """
        if key_id not in self._keys.ids:
            await self._look_for(key_id)
        key = self._keys.find(key_id, algorithm)
        if key is None:
            raise Unauthenticated("algorithm_not_of_key")
        return key

    async def _look_for(self, key_id: str) -> None:
        if self._places.locked():
            raise IdentityUnavailable(self._rest())
        async with self._places:
            await self._wait_for(key_id)

    async def _wait_for(self, key_id: str) -> None:
        begun_before = self._begun
        while key_id not in self._keys.ids:
            if self._heard > begun_before:
                raise Unauthenticated("unknown_key")
            if self._failed and not self._in_flight and self._rest() > 0:
                raise IdentityUnavailable(self._rest())
            await self._next_fetch()
            if self._failed:
                raise IdentityUnavailable(self._rest())

    async def _next_fetch(self) -> None:
        """Wait for the fetch under way, or else the next there may be; all wait for the same."""
        if self._round is None or self._round.done():
            self._round = asyncio.create_task(self._fetch_when_permitted())
        # Not `await`: who stops waiting must not stop the fetch for the others.
        await asyncio.wait({self._round})

    async def _fetch_when_permitted(self) -> None:
        while (rest := self._rest()) > 0:
            await self._clock.sleep(rest)
        self._begun += 1
        self._begun_at = self._clock.monotonic()
        self._in_flight = True
        number = self._begun
        try:
            self._take(await self._fetch())
            self._heard, self._failed = number, ""
        except Exception as exc:  # noqa: BLE001 - whatever it died of, the keys at hand stay
            self._miss(exc)
        finally:
            self._in_flight = False

    def _miss(self, exc: Exception) -> None:
        is_foreseen = isinstance(exc, KeysUnavailable)
        self._failed = (str(exc) if is_foreseen else "") or type(exc).__name__
        level, failure = (WARNING, None) if is_foreseen else (ERROR, exc)
        log_event(log, "keys.missed", level, failure, issuer=self.issuer, why=self._failed)

    def _take(self, keys: KeySet) -> None:
        if keys != self._keys:
            self._keys = keys
            self.version += 1
            log_event(log, "keys.changed", issuer=self.issuer, keys=len(keys.ids))

    async def _refresh(self) -> None:
        """Fetch when the keys have grown old, and after a failure as soon as is permitted."""
        soon, late = self._tokens.keys_cooldown_seconds, self._tokens.keys_refresh_seconds
        while True:
            await self._clock.sleep(min(soon, late))
            if self._failed or self._clock.monotonic() - self._begun_at >= late:
                await self._next_fetch()

    def _rest(self) -> float:
        """Seconds until the next fetch may begin."""
        passed = self._clock.monotonic() - self._begun_at
        return max(0.0, self._tokens.keys_cooldown_seconds - passed)
