"""`AccessTokens`: what is in a token, and what is not."""

import json
from typing import Any

import pytest

from gateway.auth.jwt import base64url
from gateway.auth.jwt.own_token_rules import ACCESS_TOKEN_TYPE, OwnTokenRules
from gateway.errors.tree import DatabaseUnavailable
from gateway.identity.key_timetable import SIGNING_DELAY, SigningKeys
from gateway.identity.signing_key import TOKEN_TYPE as INTERNAL_TYPE
from gateway.identity.signing_key import generate_signing_key
from gateway.identity.signing_key_provider import SigningKeyProvider
from gateway.oauth.access_tokens import AccessTokens
from gateway.oauth.oauth_errors import InvalidRequest
from tests.gateway.auth.manual_clock import ManualClock

NOW = 1_000_000.75
FIRST, SECOND = generate_signing_key("ES256", 0), generate_signing_key("EdDSA", NOW)
ISSUER = "https://gateway.test"
RULES = OwnTokenRules(ISSUER, ())


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def tokens(clock: ManualClock) -> AccessTokens:
    keys = SigningKeyProvider(SigningKeys([FIRST, SECOND]))
    return AccessTokens(keys, rules=RULES, seconds=600, max_bytes=2_000, clock=clock)


def read(token: str, part: int) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(base64url.decode(token.split(".")[part]))
    return parsed


def test_a_token_has_the_claims_of_rfc_9068(tokens: AccessTokens) -> None:
    issued = tokens.issue("bff", "bff", ["a", "b"])
    assert read(issued.text, 0) == {"alg": "ES256", "typ": "at+jwt", "kid": FIRST.key_id}
    claims = read(issued.text, 1)
    assert len(claims.pop("jti")) == 22
    assert claims == {
        "iss": ISSUER,
        "aud": ISSUER,
        "sub": "bff",
        "client_id": "bff",
        "scope": "a b",
        "iat": 1_000_000,
        "exp": 1_000_600,
    }
    assert issued.expires_in == 600
    assert FIRST.verify(issued.text, ACCESS_TOKEN_TYPE)


def test_its_type_is_not_that_of_an_internal_token(tokens: AccessTokens) -> None:
    with pytest.raises(ValueError, match="header"):
        FIRST.verify(tokens.issue("bff", "bff", ["a"]).text, INTERNAL_TYPE)


def test_further_claims_replace_none(tokens: AccessTokens) -> None:
    claims = {"iss": "x", "exp": 9e9, "scope": "admin", "act": {"sub": "bff"}}
    issued = read(tokens.issue("bff", "bff", ["a"], claims=claims).text, 1)
    assert (issued["iss"], issued["exp"], issued["scope"]) == (ISSUER, 1_000_600, "a")
    assert issued["act"] == {"sub": "bff"}


def test_it_can_only_expire_sooner(tokens: AccessTokens) -> None:
    sooner = tokens.issue("bff", "bff", ["a"], expires_by=NOW + 30.5)
    assert (read(sooner.text, 1)["exp"], sooner.expires_in) == (1_000_031, 31)
    later = tokens.issue("bff", "bff", ["a"], expires_by=NOW + 3_600)
    assert read(later.text, 1)["exp"] == 1_000_600


async def test_the_next_key_signs_in_its_time(tokens: AccessTokens, clock: ManualClock) -> None:
    await clock.advance(SIGNING_DELAY)
    header = read(tokens.issue("bff", "bff", ["a"]).text, 0)
    assert header == {"alg": "EdDSA", "typ": "at+jwt", "kid": SECOND.key_id}


def test_without_keys_no_token_is_issued(clock: ManualClock) -> None:
    tokens = AccessTokens(
        SigningKeyProvider(), rules=RULES, seconds=600, max_bytes=2_000, clock=clock
    )
    with pytest.raises(DatabaseUnavailable):
        tokens.issue("bff", "bff", ["a"])


def test_a_token_that_the_gateway_would_refuse_is_not_issued(tokens: AccessTokens) -> None:
    with pytest.raises(InvalidRequest, match="longer than this server accepts") as caught:
        tokens.issue("bff", "bff", ["a" * 2_000])
    assert "tokens.max_bytes is 2000" in caught.value.explanation
    with pytest.raises(InvalidRequest, match="about the subject") as caught:
        tokens.issue("x", "bff", ["a"], claims={"sub_id": {"format": "iss_sub", "iss": "a"}})
    assert "invalid_sub" in caught.value.explanation
    services = [str(number) for number in range(65)]
    with pytest.raises(InvalidRequest):
        tokens.issue("bff", "bff", ["a"], claims={"services": services})


def test_a_token_is_not_shown(tokens: AccessTokens) -> None:
    issued = tokens.issue("bff", "bff", ["a"])
    assert issued.text not in repr(issued)
    assert ISSUER in repr(tokens)
