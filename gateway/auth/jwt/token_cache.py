"""LRU cache of verified tokens: a repeated token costs a hash instead of a signature."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from gateway.auth.principal import Principal


@dataclass(frozen=True, slots=True)
class _Entry:
    principal: Principal
    key_version: int
    cached_at: float
    expires_at: float


class TokenCache:
    """Verified tokens, least recently used evicted first.

    An entry is valid until the token expires, the keys of its issuer change, or `ttl_seconds`
    have passed, whichever comes first. Entries are found by digest: no token is stored.
    """

    def __init__(self, max_entries: int, ttl_seconds: float) -> None:
        self._max_entries = max_entries
        self._ttl_seconds = ttl_seconds
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()

    def __len__(self) -> int:
        """Return the number of cached tokens."""
        return len(self._entries)

    def get(
        self, token: str, now: float, get_key_version: Callable[[str], int]
    ) -> Principal | None:
        """Return the principal of a cached token, or None.

        `now` is in seconds since the epoch. `get_key_version(issuer)` is the current version of
        the issuer's keys.
        """
        digest = _digest(token)
        entry = self._entries.get(digest)
        if entry is None:
            return None
        # The lower bound is for a system clock that is set back: it must not prolong an entry.
        is_current = entry.cached_at <= now < entry.expires_at
        if not is_current or entry.key_version != get_key_version(entry.principal.token_issuer):
            del self._entries[digest]
            return None
        self._entries.move_to_end(digest)
        return entry.principal

    def put(self, token: str, principal: Principal, now: float, key_version: int) -> None:
        """Cache a token that was verified with this version of its issuer's keys."""
        expires_at = min(principal.expires_at, now + self._ttl_seconds)
        if expires_at <= now:
            return
        digest = _digest(token)
        self._entries[digest] = _Entry(principal, key_version, now, expires_at)
        self._entries.move_to_end(digest)
        if len(self._entries) > self._max_entries:
            self._entries.popitem(last=False)

    def remove(self, is_removed: Callable[[Principal], bool]) -> None:
        """Forget the tokens of some principals: each is verified again."""
        removed = [digest for digest, it in self._entries.items() if is_removed(it.principal)]
        for digest in removed:
            del self._entries[digest]


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("ascii")).digest()
