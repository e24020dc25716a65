"""Access tokens, and the other tokens that a provider signs with the same keys."""

from typing import Any

import pytest

from tests.gateway.auth.jwt.claim_checks import find_explanation, find_reason
from tests.gateway.auth.token_factory import AUDIENCE

LOGOUT: dict[str, Any] = {"http://schemas.openid.net/event/backchannel-logout": {}}

ID_TOKENS: list[dict[str, Any]] = [
    {"nonce": "n-0S6_WzA2Mj"},
    {"at_hash": "77QmUPtjPfzWtF2AnpK9RQ"},
    {"c_hash": "LDktKdoQak3Pk0cnXxCltA"},
    {"typ": "ID"},
    {"typ": "id_token"},
    {"token_use": "id"},
    {"tokenName": "id_token"},
    {"token_type": "id_token"},
    {"typ": "JWT", "nonce": "n"},
    {"token_use": 7, "nonce": ""},
    {"aud": AUDIENCE, "azp": AUDIENCE, "scope": ...},
    {"aud": [AUDIENCE], "azp": AUDIENCE, "scope": None, "email_verified": True},
]

ACCESS_TOKENS: list[tuple[dict[str, Any], str]] = [
    ({}, ""),
    ({}, "jwt"),
    ({}, "at+jwt"),
    ({"typ": "Bearer"}, "jwt"),
    ({"typ": "Bearer", "nonce": "n"}, "jwt"),  # Keycloak before version 24
    ({"token_use": "access"}, ""),
    ({"token_use": "access", "nonce": "n"}, ""),
    ({"tokenName": "access_token", "nonce": "n"}, ""),
    ({"nonce": "n", "at_hash": "h"}, "at+jwt"),
    ({"nonce": None, "at_hash": None, "c_hash": None, "events": None}, ""),
    ({"typ": None, "token_use": None}, ""),
    ({"typ": 7, "token_use": ["id"], "token_type": {"id": 1}}, ""),
    ({"typ": "JWT", "token_type": "member"}, ""),
    ({"auth_time": 1, "acr": "1", "amr": ["pwd"], "azp": "web", "sid": "s"}, ""),
    ({"events": ["login"]}, ""),
    ({"azp": AUDIENCE}, ""),
    ({"azp": "web", "scope": ...}, ""),
    ({"azp": AUDIENCE, "scope": ..., "scp": "a"}, ""),
    ({"azp": AUDIENCE, "scope": ..., "roles": ["a"]}, ""),
    ({"azp": AUDIENCE, "aud": [AUDIENCE, "account"], "scope": ...}, ""),
    ({"azp": AUDIENCE, "scope": ..., "typ": "Bearer"}, ""),
    ({"events": {"login": 1}}, ""),
]

OTHERS: list[dict[str, Any]] = [
    {"typ": "Refresh"},
    {"typ": "Offline"},
    {"typ": "Logout"},
    {"typ": "InitialAccessToken"},
    {"token_use": "refresh"},
    {"tokenName": "refresh_token"},
    {"token_type": "refresh"},
    {"events": LOGOUT},
    {"events": {"urn:ietf:params:secevent:x": {}}},
]


@pytest.mark.parametrize("claims", ID_TOKENS, ids=str)
def test_an_id_token_is_accepted_only_by_setting(claims: dict[str, Any]) -> None:
    assert find_reason(claims) == "id_token"
    assert find_reason(claims, "jwt") == "id_token"
    assert find_reason(claims, id_tokens=True) == ""


@pytest.mark.parametrize("claims", OTHERS, ids=str)
@pytest.mark.parametrize("id_tokens", [False, True])
def test_other_tokens_are_never_accepted(claims: dict[str, Any], *, id_tokens: bool) -> None:
    assert find_reason(claims, id_tokens=id_tokens) == "wrong_type"


@pytest.mark.parametrize(("claims", "header_type"), ACCESS_TOKENS, ids=str)
def test_an_access_token_is_accepted(claims: dict[str, Any], header_type: str) -> None:
    assert find_reason(claims, header_type) == ""
    assert find_reason(claims, header_type, id_tokens=True) == ""


def test_the_log_says_what_marks_the_token() -> None:
    assert find_explanation({"nonce": "secret"}) == (
        "it is an ID token (it has nonce); send the access token, or set id_tokens of the issuer"
    )
    assert find_explanation({"typ": "Refresh"}) == 'it is not an access token (typ is "Refresh")'
    assert find_explanation({"events": LOGOUT}) == "it is not an access token (it has events)"
