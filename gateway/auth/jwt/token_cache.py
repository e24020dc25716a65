"""Tokens already verified, so that the next request with one costs a hash."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from gateway.auth.principal import Principal


@dataclass(frozen=True, slots=True)
class _Entry:
    principal: Principal
    version: int
    since: float
    until: float


class TokenCache:
    """A bounded cache, least recently used out first.

    An entry lives until the token expires, its issuer's keys change, or `seconds` have
    passed, whichever comes first. Keys are digests: no token is kept.
    """

    def __init__(self, entries: int, seconds: float) -> None:
        self._most = entries
        self._seconds = seconds
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()

    def __len__(self) -> int:
        """How many tokens are remembered."""
        return len(self._entries)

    def get(self, token: str, now: float, version_of: Callable[[str], int]) -> Principal | None:
        """Who the token belongs to; `version_of` an issuer is that of its keys today."""
        digest = _digest(token)
        entry = self._entries.get(digest)
        if entry is None:
            return None
        # A clock put back must not make an entry live longer.
        is_current = entry.since <= now < entry.until
        if not is_current or entry.version != version_of(entry.principal.issuer):
            del self._entries[digest]
            return None
        self._entries.move_to_end(digest)
        return entry.principal

    def put(self, token: str, principal: Principal, now: float, version: int) -> None:
        """Remember a token that was verified with that version of its issuer's keys."""
        until = min(principal.expires_at, now + self._seconds)
        if until <= now:
            return
        digest = _digest(token)
        self._entries[digest] = _Entry(principal, version, now, until)
        self._entries.move_to_end(digest)
        if len(self._entries) > self._most:
            self._entries.popitem(last=False)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("ascii")).digest()
