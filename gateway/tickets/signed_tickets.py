"""`SignedTickets`: tickets as tokens of the gateway, for a store that others may write to.

Redis is not an authority for who a caller is. What it holds is signed with the key of the gateway
(`identity.signing_key_file`), so that neither a writer of Redis nor another gateway on it can
issue a ticket for this one.
"""

import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from pydantic import TypeAdapter

from gateway.api_keys.api_key import ISSUER as KEY_ISSUER
from gateway.auth.principal import Principal
from gateway.identity.internal_tokens import InternalTokens
from gateway.settings.issuer_names import list_issuer_names
from gateway.settings.schema import Issuer
from gateway.tickets.ticket import Ticket

TICKET_TYPE = "lockgate-ticket+jwt"
"""The `typ` of a stored ticket (RFC 8725, section 3.11). No service accepts it for a token."""

MAX_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class _Claims:
    """The claims of a stored ticket; `jti` is the SHA-256 of its text."""

    iss: str
    jti: str
    exp: float
    path: str
    principal: Principal


_ADAPTER = TypeAdapter(_Claims)


class InvalidTicket(ValueError):
    """What a store returned is not a ticket of this gateway; the message says why."""


class SignedTickets:
    """Signs tickets for a store, and verifies what the store returns."""

    def __init__(self, tokens: InternalTokens, issuers: Iterable[Issuer]) -> None:
        self._tokens = tokens
        # Besides those of the settings: the gateway itself, and the keys that it hands out.
        self._issuers: Collection[str] = {
            tokens.issuer,
            KEY_ISSUER,
            *(name for issuer in issuers for name in list_issuer_names(issuer)),
        }

    def sign(self, digest: str, ticket: Ticket, seconds: int) -> str:
        """Return a ticket as a token that expires after so many seconds."""
        now = time.time()
        claims = _Claims(self._tokens.issuer, digest, now + seconds, ticket.path, ticket.principal)
        key = self._tokens.keys.get_keys().get_signing_key(now)
        return key.sign(_ADAPTER.dump_json(claims), TICKET_TYPE)

    def parse(self, digest: str, stored: bytes) -> Ticket:
        """Return the ticket that was signed for `digest`.

        Raises:
            InvalidTicket: a key that is not in force has signed it, if any; it is for another
                digest or gateway, or has expired; the settings have no such issuer.
        """
        now = time.time()
        try:
            claims = _ADAPTER.validate_json(self._verify(stored, now))
        except ValueError:
            raise InvalidTicket("no key in force has signed it") from None
        if (claims.iss, claims.jti) != (self._tokens.issuer, digest):
            raise InvalidTicket("it was signed for another ticket or gateway")
        if claims.exp <= now:
            raise InvalidTicket("it has expired")
        principal = claims.principal
        if not {principal.issuer, principal.token_issuer}.issubset(self._issuers):
            raise InvalidTicket("its caller is of an issuer that the settings do not have")
        return Ticket(claims.path, principal)

    def _verify(self, stored: bytes, now: float) -> bytes:
        """Return the payload that a published key has signed.

        Raises:
            ValueError: no key has.
        """
        token = stored.decode("ascii") if len(stored) <= MAX_BYTES else ""
        for key in self._tokens.keys.get_keys().list_published(now):
            try:
                return key.verify(token, TICKET_TYPE)
            except ValueError:
                continue
        raise ValueError("no published key has signed it")
