"""Checks the claims of a token under the settings of an issuer."""

import time
from typing import Any

from gateway.auth.jwt.claims import ClaimRules
from gateway.auth.principal import Principal
from gateway.errors.tree import Unauthenticated
from gateway.settings.schema import Issuer
from tests.gateway.auth.token_factory import AUDIENCE, ISSUER, make_claims


def make_issuer(**settings: Any) -> Issuer:
    """Make an issuer with these settings."""
    settings = {"issuer": ISSUER, "audience": AUDIENCE, "jwks_file": "keys.json", **settings}
    return Issuer.model_validate(settings)


def check(claims: dict[str, Any], header_type: str = "", **settings: Any) -> Principal:
    """Check claims, added to those of a valid token; a claim that is `...` is removed."""
    rules = ClaimRules(make_issuer(**settings))
    return rules.check(make_claims(**claims), header_type, time.time())


def find_reason(claims: dict[str, Any], header_type: str = "", **settings: Any) -> str:
    """Return the reason why the claims are refused; "" if they are accepted."""
    try:
        check(claims, header_type, **settings)
    except Unauthenticated as refusal:
        return refusal.reason
    return ""


def find_explanation(claims: dict[str, Any], header_type: str = "", **settings: Any) -> str:
    """Return the explanation for the log why the claims are refused."""
    try:
        check(claims, header_type, **settings)
    except Unauthenticated as refusal:
        return refusal.explanation
    raise AssertionError("accepted")
