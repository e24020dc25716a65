"""The claims of an assertion, checked before its signature."""

import json
from typing import Any

import pytest

from gateway.auth.jwt import base64url
from gateway.oauth.client_assertion import parse_assertion
from gateway.oauth.oauth_errors import InvalidClient
from tests.gateway.oauth.client_keys import make_claims, sign
from tests.gateway.oauth.oauth_gateway import GATEWAY

NOW = 1_000_000


def check(header: dict[str, Any] | None = None, **claims: Any) -> str:
    times = {"iat": NOW, "exp": NOW + 60}
    return parse_assertion(
        sign(make_claims(**(times | claims)), **(header or {})), GATEWAY, NOW
    ).client_id


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"aud": [GATEWAY]},
        {"exp": NOW - 4},
        {"exp": NOW + 305},
        {"exp": NOW + 60.5},
        {"iat": None},
        {"iat": NOW + 5},
        {"nbf": NOW},
        {"jti": "x" * 256},
        {"name": "another claim"},
    ],
)
def test_an_assertion_for_the_gateway_is_accepted(claims: dict[str, Any]) -> None:
    assert check(**claims) == "signer"


@pytest.mark.parametrize("typ", ["JWT", "jwt", "client-authentication+jwt", "application/jwt"])
def test_its_type_may_be_one_of_two(typ: str) -> None:
    assert check({"typ": typ}) == "signer"


@pytest.mark.parametrize(
    ("claims", "explanation"),
    [
        ({"aud": None}, "aud is null"),
        ({"aud": f"{GATEWAY}/"}, "aud is"),
        ({"aud": f"{GATEWAY}/oauth/token"}, "aud is"),
        ({"aud": [GATEWAY, "https://other.test"]}, "aud is"),
        ({"aud": [GATEWAY, GATEWAY]}, "aud is"),
        ({"aud": []}, "aud is"),
        ({"aud": {"a": GATEWAY}}, "aud is"),
        ({"iss": None}, "iss and sub"),
        ({"iss": "bff"}, "iss and sub"),
        ({"sub": None}, "iss and sub"),
        ({"sub": 42, "iss": 42}, "iss and sub|malformed|sub"),
        ({"sub": "", "iss": ""}, "iss and sub"),
        ({"exp": None}, "exp is missing"),
        ({"exp": "soon"}, "exp is missing or not a number"),
        ({"exp": True}, "exp is missing or not a number"),
        ({"exp": NOW - 5}, "exp was 5 s ago"),
        ({"exp": NOW + 306}, "exp is more than 300 s ahead"),
        ({"exp": NOW + 3_600}, "exp is more than 300 s ahead"),
        ({"nbf": NOW + 6}, "nbf is in the future"),
        ({"iat": NOW + 6}, "iat is in the future"),
        ({"iat": "now"}, "iat is in the future or not a number"),
        ({"jti": None}, "jti is no text"),
        ({"jti": ""}, "jti is no text"),
        ({"jti": "x" * 257}, "jti is no text"),
        ({"padding": "x" * 8_192}, "8192 are allowed"),
    ],
)
def test_any_other_is_refused(claims: dict[str, Any], explanation: str) -> None:
    times = {"iat": NOW, "exp": NOW + 60}
    made = make_claims(**(times | claims))
    with pytest.raises(InvalidClient) as refused:
        parse_assertion(sign_anything(made), GATEWAY, NOW)
    assert any(part in refused.value.explanation for part in explanation.split("|"))


def sign_anything(claims: dict[str, Any]) -> str:
    """Return an assertion with claims that PyJWT refuses to encode; its signature is none."""
    header = base64url.encode(json.dumps({"alg": "ES256", "typ": "JWT"}).encode())
    return f"{header}.{base64url.encode(json.dumps(claims).encode())}.c2ln"


@pytest.mark.parametrize(
    "header",
    [{"typ": "at+jwt"}, {"typ": "dpop+jwt"}, {"crit": ["x"]}, {"typ": "lockgate-internal+jwt"}],
)
def test_a_token_of_another_type_is_no_assertion(header: dict[str, Any]) -> None:
    with pytest.raises(InvalidClient):
        check(header)


@pytest.mark.parametrize("text", ["", "x", "a.b", "a.b.c", "a.b.c.d.e"])
def test_another_text_is_no_assertion(text: str) -> None:
    with pytest.raises(InvalidClient):
        parse_assertion(text, GATEWAY, NOW)
