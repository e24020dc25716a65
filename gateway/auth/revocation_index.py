"""The revoked tokens in memory: by token id, by subject, by client, and by issuer.

A token id names one token. The other kinds name a time: they revoke every token that was issued
before it, and every token that does not say when it was issued (`iat`).
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from math import inf

from gateway.auth.principal import Principal, SourceToken


class RevocationKind(Enum):
    """What a revocation names."""

    TOKEN = "token"  # noqa: S105 - a kind
    SUBJECT = "subject"
    CLIENT = "client"
    ISSUER = "issuer"


@dataclass(frozen=True, slots=True)
class Revocation:
    """One revocation. Times are in seconds since the epoch.

    `issuer` is that of the tokens; "" stands for all issuers, of the kind ISSUER alone. `value` is
    the token id (`jti`), the subject or the client; "" for the kind ISSUER. `issued_before` is 0
    for the kind TOKEN. After `expires_at`, all tokens that it revokes have expired.
    """

    kind: RevocationKind
    issuer: str
    value: str
    issued_before: float
    expires_at: float


RevocationKey = tuple[RevocationKind, str, str]
_ALL_ISSUERS = (RevocationKind.ISSUER, "", "")


class RevocationIndex:
    """Finds out whether a token is revoked, in constant time."""

    # Invariants:
    # - Of several revocations with one key, the index has the latest of both times.
    # - `_queue` has each key of `_entries` once, in the order in which they are checked for expiry.

    def __init__(self) -> None:
        self._entries: dict[RevocationKey, tuple[float, float]] = {}
        self._queue = deque[RevocationKey]()

    def __len__(self) -> int:
        """Return the number of revocations."""
        return len(self._entries)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self)} revocations>"

    def add(self, revocations: Sequence[Revocation], now: float) -> None:
        """Add revocations; one that is known already changes nothing.

        Twice as many of the known ones are forgotten if their tokens have all expired. So memory
        is bounded by the revocations that are in force, and no call takes long.
        """
        self._remove_expired(2 * len(revocations), now)
        for it in revocations:
            key = (it.kind, it.issuer, it.value)
            known = self._entries.get(key)
            if known is None:
                self._queue.append(key)
                self._entries[key] = (it.issued_before, it.expires_at)
            else:
                self._entries[key] = (
                    max(known[0], it.issued_before),
                    max(known[1], it.expires_at),
                )

    def _remove_expired(self, count: int, now: float) -> None:
        for _ in range(min(count, len(self._queue))):
            key = self._queue.popleft()
            if self._entries[key][1] > now:
                self._queue.append(key)
            else:
                del self._entries[key]

    def find(self, principal: Principal) -> RevocationKind | None:
        """Return what revokes the token of a caller; None if nothing does."""
        if not self._entries:
            return None
        for key, issued_at in list_keys(principal):
            entry = self._entries.get(key)
            if entry is not None and issued_at < entry[0]:
                return key[0]
        return None


def list_keys(principal: Principal) -> list[tuple[RevocationKey, float]]:
    """Return what each revocation of a token would have: its kind, its issuer and its value.

    With each goes the time that must come before its `issued_before`: when the token was issued, or
    minus infinity if nothing but the name counts. A token that was exchanged is named by those that
    it comes from, too: by their ids, and by their issuers, each with the time of the token that is
    of this issuer. A client is revoked wherever it acts: as the client that got the token, and as
    an actor (RFC 8693, section 4.1).
    """
    own = SourceToken(principal.token_issuer, principal.token_id, principal.issued_at)
    tokens = (own, *principal.sources)
    times = dict[str, float]()
    for it in tokens:
        issued_at = -inf if it.issued_at is None else it.issued_at
        times[it.issuer] = min(issued_at, times.get(it.issuer, inf))
    earliest = min(times.values())
    ids = [(RevocationKind.TOKEN, it.issuer, it.token_id) for it in tokens if it.token_id]
    return [
        *((key, -inf) for key in ids),
        ((RevocationKind.SUBJECT, principal.issuer, principal.subject), earliest),
        ((RevocationKind.ISSUER, principal.issuer, ""), times.get(principal.issuer, earliest)),
        *(((RevocationKind.ISSUER, issuer, ""), time) for issuer, time in times.items()),
        (_ALL_ISSUERS, earliest),
        *(
            ((RevocationKind.CLIENT, it.issuer, it.subject), times.get(it.issuer, earliest))
            for it in principal.actors
        ),
    ]
