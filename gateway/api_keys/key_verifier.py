"""`KeyVerifier`: the keys in memory, and the caller that a key stands for."""

from collections import deque
from collections.abc import Mapping

from sqlalchemy import Connection

from gateway.api_keys.api_key import ISSUER, ApiKey, hash_text
from gateway.api_keys.key_table import list_changed_keys
from gateway.auth import wrong_key
from gateway.auth.clock import Clock
from gateway.auth.principal import Principal
from gateway.errors.tree import DatabaseUnavailable, Unauthenticated
from gateway.storage.change_feed import Changes

EXPIRED_SECONDS = 7 * 86_400.0
"""An expired key is known for so long; afterwards it is as unknown as any other text."""

_CHECKED = 16
"""So many keys are checked for expiry after each change of the database."""


class KeyVerifier:
    """Verifies API keys without a call of the database: it holds all of them by their SHA-256.

    A look-up by a digest tells an attacker nothing by its time: the digest of a wrong key is not
    near that of a right one.
    """

    # Invariants:
    # - `_keys` has the keys that are not revoked, by their digests. An expired one is kept for
    #   `EXPIRED_SECONDS` at least, so that the log can say what is wrong with it.
    # - `_queue` has each digest of `_keys` once, in the order in which they are checked for expiry;
    #   those of revoked keys are in it until it is their turn.
    # - `_used_at` has the time of the last use of the keys whose use is not stored yet.

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or Clock()
        self._keys: dict[bytes, ApiKey] = {}
        self._queue = deque[bytes]()
        self._used_at: dict[str, float] = {}
        self._is_loaded = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self._keys)} keys loaded={self._is_loaded}>"

    def __len__(self) -> int:
        """Return the number of keys."""
        return len(self._keys)

    def load(self, connection: Connection, after: int) -> Changes[ApiKey]:
        """Load the keys that have changed. Runs in a thread."""
        return Changes(list_changed_keys(connection, after), is_complete=after == 0)

    def apply(self, loaded: Changes[ApiKey]) -> None:
        """Put the changes in force."""
        if loaded.is_complete:
            self._keys.clear()
            self._queue.clear()
        oldest = self._clock.now() - EXPIRED_SECONDS
        self._remove_expired(2 * len(loaded.rows) + _CHECKED, oldest)
        for key in loaded.rows:
            if key.is_revoked or key.expires_at <= oldest:
                self._keys.pop(key.digest, None)
            else:
                if key.digest not in self._keys:
                    self._queue.append(key.digest)
                self._keys[key.digest] = key
        self._is_loaded = True

    def _remove_expired(self, count: int, oldest: float) -> None:
        for _ in range(min(count, len(self._queue))):
            digest = self._queue.popleft()
            key = self._keys.get(digest)
            if key is not None and key.expires_at > oldest:
                self._queue.append(digest)
            else:  # it was revoked, or has expired
                self._keys.pop(digest, None)

    def verify(self, text: str, now: float) -> Principal:
        """Return the caller of a key. `now` is in seconds since the epoch.

        Raises:
            Unauthenticated: the key is unknown, revoked or expired.
            DatabaseUnavailable: the keys have not been read yet.
        """
        if not self._is_loaded:
            raise DatabaseUnavailable.before_first_read("the API keys")
        key = self._keys.get(hash_text(text))
        if key is None:
            raise Unauthenticated(
                wrong_key.UNKNOWN, "it is unknown, was revoked, or has expired long ago"
            )
        if key.expires_at <= now:
            raise Unauthenticated(wrong_key.EXPIRED, f"the key {key.id} has expired")
        self._used_at[key.id] = now
        return Principal(
            issuer=ISSUER,
            subject=key.name,
            scopes=frozenset(key.scopes),
            user_id=None,
            service=key.name,
            tenant=None,
            expires_at=key.expires_at,
            token_id=key.id,
            issued_at=key.created_at,
            claims=key.claims,
        )

    def take_used_at(self) -> Mapping[str, float]:
        """Return when keys were used since the last call, by their ids."""
        used_at, self._used_at = self._used_at, {}
        return used_at
