"""Reads who acts for the subject of a token: its client, and the actors of its claim `act`."""

from collections.abc import Iterable, Iterator

from gateway.auth.jwt.claim_path import Claims
from gateway.auth.jwt.ids import read_id
from gateway.auth.principal import Actor
from gateway.errors.tree import Unauthenticated

MAX_ACTORS = 4
"""A token with so many actors is not exchanged for another one."""

MAX_READ_ACTORS = 16
"""The maximum of actors of a token. All are read, since a revocation may name each of them."""

# RFC 9068 and RFC 8693 say `client_id`, OpenID Connect `azp`, Okta `cid`, Entra ID 1.0 `appid`.
_CLIENT_CLAIMS = ("client_id", "azp", "cid", "appid")


def list_clients(claims: Claims) -> list[str]:
    """Return the names of the client that got the token, one for each claim that names it."""
    names = (read_id(claims.get(name)) for name in _CLIENT_CLAIMS)
    return [name for name in names if name]


def list_actors(claims: Claims, issuer: str, clients: Iterable[str] = ()) -> tuple[Actor, ...]:
    """Return the client by each of its names, and those who acted before it, the latest first.

    Raises:
        Unauthenticated: there are more than `MAX_READ_ACTORS`.
    """
    own = [Actor(issuer, client) for client in clients]
    distinct = tuple(dict.fromkeys([*own, *_iter_actors(claims, issuer)]))
    if len(distinct) > MAX_READ_ACTORS:
        explanation = f"it has {len(distinct)} actors (act); at most {MAX_READ_ACTORS} are possible"
        raise Unauthenticated("too_many_actors", explanation)
    return distinct


def _iter_actors(claims: Claims, issuer: str) -> Iterator[Actor]:
    """Yield the actors of nested `act` claims; one without `iss` is of the issuer of the token.

    One without a usable `sub` is left out, and hides none of those that acted before it.
    """
    act = claims.get("act")
    while isinstance(act, dict):
        if subject := read_id(act.get("sub")):
            yield Actor(read_id(act.get("iss")) or issuer, subject)
        act = act.get("act")
