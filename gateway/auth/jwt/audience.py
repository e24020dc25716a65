"""Checks whom a token is for: the `aud` claim, or the client in a token without it."""

from pydantic import JsonValue

from gateway.auth.jwt.claim_path import Claims
from gateway.auth.jwt.refusal import show, show_all
from gateway.errors.tree import Unauthenticated


def check_audience(claims: Claims, accepted: frozenset[str], claim: str) -> None:
    """Require one of the `accepted` names in `aud` (RFC 7519, section 4.1.3).

    A token without `aud` is judged by another `claim` if the settings name one, as `client_id` for
    the access tokens of Amazon Cognito. A token with `aud` is always judged by it.

    Raises:
        Unauthenticated: the token is for others, or does not say for whom it is.
    """
    value = claims.get("aud")
    name = claim if value is None or value == [] else "aud"
    value = claims.get(name)
    names = value if isinstance(value, list) else [value]
    if value is None:
        raise Unauthenticated("invalid_aud", _explain_absence(claims, name))
    if not all(isinstance(item, str) for item in names):
        raise Unauthenticated("invalid_aud", f"{name} is {show(value)}, which is not an audience")
    if accepted.isdisjoint(names):
        raise Unauthenticated("wrong_audience", _explain(name, value, accepted))


def _explain_absence(claims: Claims, name: str) -> str:
    clients = [other for other in ("client_id", "azp", "cid", "appid") if claims.get(other)]
    hint = "; to accept its client, set audience_claim" if name == "aud" and clients else ""
    shown = "".join(f", its {other} is {show(claims[other])}" for other in clients)
    return f"the token has no {name}{shown}{hint}"


def _explain(name: str, value: JsonValue, accepted: frozenset[str]) -> str:
    return f"{name} is {show(value)}; the setting audience has {show_all(sorted(accepted))}"
