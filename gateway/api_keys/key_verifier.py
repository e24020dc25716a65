"""`KeyVerifier`: the keys in memory, and the caller that a key stands for."""

from collections.abc import Mapping

from sqlalchemy import Connection

from gateway.api_keys.api_key import ISSUER, ApiKey, hash_text
from gateway.api_keys.key_table import list_changed_keys
from gateway.auth import wrong_key
from gateway.auth.principal import Principal
from gateway.errors.tree import DatabaseUnavailable, Unauthenticated
from gateway.storage.change_feed import Changes


class KeyVerifier:
    """Verifies API keys without a call of the database: it holds all of them by their SHA-256.

    A look-up by a digest tells an attacker nothing by its time: the digest of a wrong key is not
    near that of a right one.
    """

    # Invariants:
    # - `_keys` has the keys that are not revoked, by their digests.
    # - `_used_at` has the time of the last use of the keys whose use is not stored yet.

    def __init__(self) -> None:
        self._keys: dict[bytes, ApiKey] = {}
        self._used_at: dict[str, float] = {}
        self._is_loaded = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self._keys)} keys loaded={self._is_loaded}>"

    def load(self, connection: Connection, after: int) -> Changes[ApiKey]:
        """Load the keys that have changed. Runs in a thread."""
        return Changes(list_changed_keys(connection, after), is_complete=after == 0)

    def apply(self, loaded: Changes[ApiKey]) -> None:
        """Put the changes in force."""
        if loaded.is_complete:
            self._keys.clear()
        for key in loaded.rows:
            if key.is_revoked:
                self._keys.pop(key.digest, None)
            else:
                self._keys[key.digest] = key
        self._is_loaded = True

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
            raise Unauthenticated(wrong_key.UNKNOWN, "it is unknown, or it was revoked")
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
        )

    def take_used_at(self) -> Mapping[str, float]:
        """Return when keys were used since the last call, by their ids."""
        used_at, self._used_at = self._used_at, {}
        return used_at
