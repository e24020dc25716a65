"""Who a verified token says is calling."""

import re
from dataclasses import dataclass

ANY = ":any"
SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")  # RFC 6749, section 3.3


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller: whose token it is, what it may do, and until when.

    `expires_at` is the token's `exp`, in seconds since the epoch.
    """

    issuer: str
    subject: str
    scopes: frozenset[str]
    user_id: str | None
    service: str | None
    tenant: str | None
    expires_at: float

    def may(self, scope: str) -> bool:
        """Whether the token carries the scope, or its `:any` form, which is the wider one."""
        return scope in self.scopes or self.may_for_anyone(scope)

    def may_for_anyone(self, scope: str) -> bool:
        """Whether the token carries the `:any` form of the scope."""
        return scope + ANY in self.scopes
