"""The authenticated caller: subject, scopes and identifiers from a verified token."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

ANY = ":any"
CLAIM_NAME = re.compile(r"[!-~]{1,200}")
SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")  # RFC 6749, section 3.3


class Actor(NamedTuple):
    """A party that acts for the subject of a token (RFC 8693, section 4.1)."""

    issuer: str
    subject: str


class SourceToken(NamedTuple):
    """A token that another one was exchanged for; the fields are as in `Principal`."""

    issuer: str
    token_id: str | None
    issued_at: float | None


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller as its verified token describes it.

    `expires_at` is the `exp` claim, in seconds since the epoch. `user_id`, `service` and
    `tenant` are None if the token does not have the claim. `scope_fault` names the claims of scopes
    that have none because of their type, for the log. `token_id` is the `jti` claim and `issued_at`
    the `iat` claim, in seconds since the epoch; each is None if the token does not have it.
    `client` is the OAuth client that got the token, or None; `service` may be another name of it,
    from the claim of `service_claim`. `actors` act for the subject: the client by each of its
    names, then those of the claim `act`. `key_thumbprint` is that of the key to which the
    token is bound (`jkt` in the claim `cnf`; RFC 9449, section 6.1), or None: such a token is good
    only with a proof that its client holds the key.

    A token that the gateway issued in exchange for another one (RFC 8693) has the `issuer` and
    `subject` of that one: its caller is the same, in limits, streams and revocations. Then
    `token_issuer`, to which `client` and `token_id` belong, is the gateway; otherwise it is
    `issuer`. `sources` are the tokens that it comes from, the latest first. `services` are the only
    ones whose proxied routes accept it; None stands for no such restriction.
    """

    issuer: str
    subject: str
    scopes: frozenset[str]
    user_id: str | None
    service: str | None
    tenant: str | None
    expires_at: float
    scope_fault: str = ""
    token_id: str | None = None
    issued_at: float | None = None
    client: str | None = None
    actors: tuple[Actor, ...] = ()
    key_thumbprint: str | None = None
    token_issuer: str = ""
    sources: tuple[SourceToken, ...] = ()
    services: frozenset[str] | None = None
    claims: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        """Let a token without another issuer be of the issuer of its subject."""
        if not self.token_issuer:
            object.__setattr__(self, "token_issuer", self.issuer)

    def __hash__(self) -> int:
        """Hash what tells tokens apart: caches look principals up for each request."""
        return hash((self.issuer, self.subject, self.expires_at))

    def may(self, scope: str) -> bool:
        """Whether the token has the scope, or its wider `:any` form."""
        return scope in self.scopes or self.may_for_anyone(scope)

    def may_for_anyone(self, scope: str) -> bool:
        """Whether the token has the `:any` form of the scope."""
        return scope + ANY in self.scopes
