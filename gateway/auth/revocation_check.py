"""`RevocationCheck`: refuses revoked tokens, and reports each change to those that keep tokens."""

from collections.abc import Callable, Mapping, Sequence

from gateway.auth.principal import Principal
from gateway.auth.revocation_index import Revocation, RevocationIndex
from gateway.errors.tree import DatabaseUnavailable, Unauthenticated

IsRevoked = Callable[[Principal], bool]
OnChange = Callable[[IsRevoked], None]


class RevocationCheck:
    """The revocations of this process.

    Whatever keeps a principal for longer than one request (a cache of tokens, an open stream)
    registers with `call_on_change`, and lets go of the principals that are revoked. So a request
    with a cached token costs nothing here.

    `max_lifetime` is in seconds. A token that lives longer could outlive its revocation. `skews`
    are those of `RevocationIndex`.
    """

    def __init__(self, max_lifetime: float, skews: Mapping[str, float]) -> None:
        self._index = RevocationIndex(skews)
        self._max_lifetime = max_lifetime
        self._is_loaded = False
        self._on_change = list[OnChange]()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._index!r} loaded={self._is_loaded}>"

    def __len__(self) -> int:
        """Return the number of revocations."""
        return len(self._index)

    def call_on_change(self, function: OnChange) -> Callable[[], None]:
        """Call a function after each change; return a function that ends this."""
        self._on_change.append(function)
        return lambda: self._on_change.remove(function)

    def require_valid(self, principal: Principal, now: float) -> None:
        """Refuse the principal of a token that is revoked, or outlives a revocation of it.

        `now` is in seconds since the epoch. A token counts from its `iat` on: near its end, it
        may have been revoked so long ago that the revocation has ended.

        Raises:
            Unauthenticated: the token is revoked, or lives longer than a revocation of it would.
            DatabaseUnavailable: the revocations have not been read yet.
        """
        self.require_unrevoked(principal)
        begins_at = now if principal.issued_at is None else min(principal.issued_at, now)
        if (seconds := principal.expires_at - begins_at) > self._max_lifetime:
            raise Unauthenticated(
                "lives_too_long",
                f"it is valid for {seconds:.0f} s; tokens.max_lifetime_seconds is "
                f"{self._max_lifetime:.0f}, after which a revocation of it would end",
            )

    def require_unrevoked(self, principal: Principal) -> None:
        """Refuse the principal of a revoked token, API key or ticket, however long it is valid.

        Raises:
            Unauthenticated: a revocation names it.
            DatabaseUnavailable: the revocations have not been read yet.
        """
        if not self._is_loaded:
            raise DatabaseUnavailable.before_first_read("the revocations")
        if (kind := self._index.find(principal)) is not None:
            raise Unauthenticated("revoked", f"a revocation names its {kind.value}")

    def is_revoked(self, principal: Principal) -> bool:
        """Whether a revocation names the token of a principal that was valid before."""
        return self._index.find(principal) is not None

    def add(self, revocations: Sequence[Revocation], now: float) -> None:
        """Put revocations in force, as the first of those that `apply` completes."""
        if not revocations:  # the database has changed elsewhere
            return
        self._index.add(revocations, now)
        for function in list(self._on_change):
            function(self.is_revoked)

    def apply(self, revocations: Sequence[Revocation], now: float) -> None:
        """Put revocations in force. From the first call on, tokens are accepted."""
        self._is_loaded = True
        self.add(revocations, now)
