"""Reads who acts for the subject of a token: its client, and the actors of its claim `act`."""

from collections.abc import Iterator

from gateway.auth.jwt.claim_path import Claims
from gateway.auth.jwt.ids import read_id
from gateway.auth.principal import Actor

MAX_ACTORS = 4
"""The maximum of actors that are read. Prior actors are for information only (RFC 8693, 4.1)."""

# RFC 9068 and RFC 8693 say `client_id`, OpenID Connect `azp`, Okta `cid`, Entra ID 1.0 `appid`.
_CLIENT_CLAIMS = ("client_id", "azp", "cid", "appid")


def read_client(claims: Claims) -> str | None:
    """Return the client that got the token; None if no claim names one."""
    names = (read_id(claims.get(name)) for name in _CLIENT_CLAIMS)
    return next((name for name in names if name), None)


def list_actors(claims: Claims, issuer: str, client: str | None) -> tuple[Actor, ...]:
    """Return the client, and those who acted before it, the latest first."""
    own = [] if client is None else [Actor(issuer, client)]
    distinct = dict.fromkeys([*own, *_iter_actors(claims, issuer)])
    return tuple(distinct)[:MAX_ACTORS]


def _iter_actors(claims: Claims, issuer: str) -> Iterator[Actor]:
    """Yield the actors of nested `act` claims; one without `iss` is of the issuer of the token."""
    act = claims.get("act")
    while isinstance(act, dict) and (subject := read_id(act.get("sub"))):
        yield Actor(read_id(act.get("iss")) or issuer, subject)
        act = act.get("act")
