"""Issues internal tokens: signed JWTs that tell a service who the caller is, for one minute."""

from collections import OrderedDict
from collections.abc import Sequence
from secrets import token_urlsafe
from typing import NamedTuple

from pydantic_core import to_json

from gateway.auth.clock import Clock
from gateway.auth.jwt.own_token_rules import build_origin
from gateway.auth.principal import Principal
from gateway.identity.key_timetable import TOKEN_SECONDS
from gateway.identity.signing_key_provider import SigningKeyProvider
from gateway.identity.token_claims import build_caller_claims

MIN_SECONDS_LEFT = 20
"""A cached token is sent again only while it is valid for this time, if it ever was."""

_JTI_BYTES = 16

_Key = tuple[Principal, str, tuple[str, ...]]


class _Entry(NamedTuple):
    token: str
    issued_at: float
    reused_until: float


class InternalTokens:
    """Issues the token of a caller for one service, and sends it again while it is valid.

    With `has_origin`, it names the tokens that it comes from, so that introspection knows their
    revocations. The cache holds the last `max_entries` tokens by caller, service and scopes, and
    evicts the least recently used.
    """

    def __init__(
        self,
        issuer: str,
        keys: SigningKeyProvider,
        *,
        max_entries: int,
        has_origin: bool = False,
        clock: Clock | None = None,
    ) -> None:
        self.issuer = issuer
        self.keys = keys
        self._max_entries = max_entries
        self._has_origin = has_origin
        self._clock = clock or Clock()
        self._entries: OrderedDict[_Key, _Entry] = OrderedDict()
        # Tokens that the former keys have signed are no longer sent.
        keys.call_on_change(self._entries.clear)

    def __len__(self) -> int:
        """Return the number of cached tokens."""
        return len(self._entries)

    def __repr__(self) -> str:
        return f"<InternalTokens {self.issuer} cached={len(self._entries)} keys={self.keys!r}>"

    def issue(self, principal: Principal, service: str, scopes: Sequence[str]) -> str:
        """Return a token of the caller for the service, with those of the scopes that it holds.

        It expires after a minute, and never after the token of the caller. A caller whose token
        the gateway accepts only within its clock tolerance gets a token that has expired as well:
        the service decides with a tolerance of its own.

        Raises:
            DatabaseUnavailable: the signing keys have not been read yet.
        """
        key = (principal, service, tuple(scopes))
        now = self._clock.now()
        entry = self._entries.get(key)
        # The lower bound is for a system clock that is set back: it must not prolong an entry.
        if entry is not None and entry.issued_at <= now < entry.reused_until:
            self._entries.move_to_end(key)
            return entry.token
        return self._issue_new(key, now)

    def list_public_jwks(self) -> list[dict[str, str]]:
        """Return the public keys that services need now or soon.

        Raises:
            DatabaseUnavailable: the keys have not been read yet.
        """
        published = self.keys.get_keys().list_published(self._clock.now())
        return [dict(key.public_jwk) for key in published]

    def _issue_new(self, key: _Key, now: float) -> str:
        principal, service, scopes = key
        expires_at = int(min(now + TOKEN_SECONDS, principal.expires_at))
        claims = {
            "iss": self.issuer,
            "aud": service,
            **build_caller_claims(principal, scopes, self.issuer),
            "iat": int(now),
            "exp": expires_at,
            "jti": token_urlsafe(_JTI_BYTES),
        }
        if self._has_origin:
            claims["origin"] = build_origin(principal)
        token = self.keys.get_keys().get_signing_key(now).sign(to_json(claims))
        self._keep(key, _Entry(token, now, _compute_end_of_reuse(now, expires_at)))
        return token

    def _keep(self, key: _Key, entry: _Entry) -> None:
        if entry.reused_until <= entry.issued_at:
            return
        self._entries[key] = entry
        self._entries.move_to_end(key)
        if len(self._entries) > self._max_entries:
            self._entries.popitem(last=False)


def _compute_end_of_reuse(now: float, expires_at: float) -> float:
    """Return until when a token is sent again: all its life, if that is short."""
    is_short = expires_at - now <= MIN_SECONDS_LEFT
    return expires_at if is_short else expires_at - MIN_SECONDS_LEFT
