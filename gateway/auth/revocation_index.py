"""The revoked tokens in memory: by token id, by subject, by client, and by issuer.

A token id names one token. The other kinds name a time: they revoke every token that was issued
before it, and every token that does not say when it was issued (`iat`). The clock of the issuer may
be ahead of the one that told the time, by as much as is tolerated in tokens: so a revocation also
covers those that seem to have been issued so much later.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from gateway.auth.principal import Principal


class RevocationKind(Enum):
    """The kind of thing that a revocation names."""

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
    """Finds out whether a token is revoked, in constant time.

    `skews` has, by issuer, how far `iat` may be ahead, in seconds.
    """

    # Invariants:
    # - Of several revocations with one key, the index has the latest of both times.
    # - `_queue` has each key of `_entries` once, in the order in which they are checked for expiry.

    def __init__(self, skews: Mapping[str, float]) -> None:
        self._skews = skews
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
        for key in list_keys(principal):
            entry = self._entries.get(key)
            if entry is not None and is_revoked_by(principal, key, entry[0], self._skews):
                return key[0]
        return None


def list_keys(principal: Principal) -> list[RevocationKey]:
    """Return the kind, the issuer and the value of each revocation that may name a token.

    A token that was exchanged is named by those that it comes from, too: by their ids, and by their
    issuers. A client is revoked wherever it acts: as the client that got the token, and as an actor
    (RFC 8693, section 4.1).
    """
    issuer = principal.issuer
    keys = [
        (RevocationKind.SUBJECT, issuer, principal.subject),
        (RevocationKind.ISSUER, issuer, ""),
        _ALL_ISSUERS,
        *[(RevocationKind.CLIENT, it.issuer, it.subject) for it in principal.actors],
    ]
    if principal.token_id:
        keys.append((RevocationKind.TOKEN, principal.token_issuer, principal.token_id))
    if principal.token_issuer != issuer:
        keys.append((RevocationKind.ISSUER, principal.token_issuer, ""))
    for source in principal.sources:
        keys.append((RevocationKind.ISSUER, source.issuer, ""))
        if source.token_id:
            keys.append((RevocationKind.TOKEN, source.issuer, source.token_id))
    return keys


def is_revoked_by(
    principal: Principal, key: RevocationKey, issued_before: float, skews: Mapping[str, float]
) -> bool:
    """Whether a revocation with one of the keys of a token revokes it.

    Its time is compared with that of the token which is of its issuer, of several with the
    earliest; a subject is that of the first token, so it counts when that one was issued. A token
    that does not say when it was issued is revoked by each time. `skews` are as in
    `RevocationIndex`; an issuer without an entry has none.
    """
    kind, issuer, _ = key
    if kind is RevocationKind.TOKEN:
        return True
    tokens = [(principal.token_issuer, principal.issued_at)]
    tokens += [(it.issuer, it.issued_at) for it in principal.sources]
    of_issuer = [it for it in tokens if it[0] == issuer and kind is not RevocationKind.SUBJECT]
    return any(
        time is None or time < issued_before + skews.get(name, 0.0)
        for name, time in of_issuer or tokens
    )
