"""Internal tokens: what a service reads in them, how long they live, and the cache."""

import math
from collections.abc import Mapping
from typing import Any

import pytest

from gateway.auth.principal import Actor, SourceToken
from gateway.identity.internal_tokens import InternalTokens
from gateway.identity.key_timetable import SigningKeys
from gateway.identity.signing_key import SigningAlgorithm, generate_signing_key
from gateway.identity.signing_key_provider import SigningKeyProvider
from tests.gateway.auth.manual_clock import ManualClock
from tests.gateway.identity.callers import NOW, PROVIDER, make_caller
from tests.gateway.identity.verifiers import (
    GATEWAY,
    VERIFIERS,
    Refused,
    Verify,
    verify_with_pyjwt,
)

SCOPES = ("stock:read",)


def read(tokens: InternalTokens, token: str, now: float = NOW) -> dict[str, Any]:
    return verify_with_pyjwt(token, tokens.list_public_jwks(), "inventory", now)


@pytest.mark.parametrize("verify", VERIFIERS)
def test_a_service_verifies_a_token_with_the_published_keys(
    tokens: InternalTokens, verify: Verify
) -> None:
    token = tokens.issue(make_caller(), "inventory", SCOPES)
    claims = verify(token, tokens.list_public_jwks(), "inventory", NOW)
    assert len(claims.pop("jti")) == 22
    assert claims == {
        "iss": GATEWAY,
        "aud": "inventory",
        "sub": "https://login.example.com#42",
        "sub_id": {"format": "iss_sub", "iss": PROVIDER, "sub": "42"},
        "scope": "stock:read",
        "act": {"iss": GATEWAY, "sub": GATEWAY, "act": {"iss": PROVIDER, "sub": "shop-app"}},
        "client_id": "shop-app",
        "user_id": "42",
        "tenant": "acme",
        "iat": NOW,
        "exp": NOW + 60,
    }


@pytest.mark.parametrize("verify", VERIFIERS)
def test_another_service_refuses_the_token(tokens: InternalTokens, verify: Verify) -> None:
    token = tokens.issue(make_caller(), "inventory", SCOPES)
    with pytest.raises(Refused):
        verify(token, tokens.list_public_jwks(), "orders", NOW)


@pytest.mark.parametrize("verify", VERIFIERS)
@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_changed_token_is_refused(tokens: InternalTokens, verify: Verify, part: int) -> None:
    segments = tokens.issue(make_caller(), "inventory", SCOPES).split(".")
    middle = len(segments[part]) // 2
    changed = "A" if segments[part][middle] != "A" else "B"
    segments[part] = segments[part][:middle] + changed + segments[part][middle + 1 :]
    with pytest.raises((Refused, ValueError, KeyError)):
        verify(".".join(segments), tokens.list_public_jwks(), "inventory", NOW)


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA"])
def test_both_kinds_of_keys_sign(clock: ManualClock, algorithm: SigningAlgorithm) -> None:
    keys = SigningKeys([generate_signing_key(algorithm, 0)])
    tokens = InternalTokens(GATEWAY, SigningKeyProvider(keys), max_entries=1, clock=clock)
    assert read(tokens, tokens.issue(make_caller(), "inventory", SCOPES))["sub_id"]["sub"] == "42"
    assert [jwk["alg"] for jwk in tokens.list_public_jwks()] == [algorithm]


@pytest.mark.parametrize(
    ("required", "expected"),
    [
        ((), ""),
        (("stock:read",), "stock:read"),
        (("stock:read", "stock:write", "stock:read"), "stock:read stock:write"),
        (("orders:read",), "orders:read:any"),
        (("orders:read", "stock:read"), "orders:read:any stock:read"),
        (("payments:read",), ""),
    ],
)
def test_a_token_has_those_scopes_of_the_route_that_the_caller_holds(
    tokens: InternalTokens, required: tuple[str, ...], expected: str
) -> None:
    token = tokens.issue(make_caller(), "inventory", required)
    assert read(tokens, token)["scope"] == expected


@pytest.mark.parametrize(
    ("changes", "absent"),
    [
        ({"client": None, "service": None, "actors": ()}, "client_id"),
        ({"user_id": None}, "user_id"),
        ({"tenant": None}, "tenant"),
    ],
)
def test_a_token_has_no_claim_that_the_caller_lacks(
    tokens: InternalTokens, changes: Mapping[str, Any], absent: str
) -> None:
    claims = read(tokens, tokens.issue(make_caller(**changes), "inventory", SCOPES))
    assert absent not in claims


def test_the_actors_are_nested_with_the_gateway_outermost(tokens: InternalTokens) -> None:
    actors = (Actor(PROVIDER, "shop-app"), Actor(PROVIDER, "support"))
    claims = read(tokens, tokens.issue(make_caller(actors=actors), "inventory", SCOPES))
    assert claims["act"] == {
        "iss": GATEWAY,
        "sub": GATEWAY,
        "act": {
            "iss": PROVIDER,
            "sub": "shop-app",
            "act": {"iss": PROVIDER, "sub": "support"},
        },
    }


def test_an_actor_is_named_once(tokens: InternalTokens) -> None:
    actors = (Actor(GATEWAY, "cart"), Actor(GATEWAY, GATEWAY), Actor(GATEWAY, "cart"))
    claims = read(tokens, tokens.issue(make_caller(actors=actors), "inventory", SCOPES))
    assert claims["act"] == {
        "iss": GATEWAY,
        "sub": GATEWAY,
        "act": {"iss": GATEWAY, "sub": "cart"},
    }


def test_where_tokens_can_be_revoked_a_token_names_those_that_it_comes_from(
    clock: ManualClock,
) -> None:
    keys = SigningKeyProvider(SigningKeys([generate_signing_key("ES256", 0)]))
    tokens = InternalTokens(GATEWAY, keys, max_entries=1, has_origin=True, clock=clock)
    caller = make_caller(
        token_issuer=GATEWAY,
        token_id="g1",
        issued_at=NOW - 10,
        sources=(SourceToken(PROVIDER, "t1", NOW - 20), SourceToken(PROVIDER, None, None)),
    )
    assert read(tokens, tokens.issue(caller, "inventory", SCOPES))["origin"] == [
        {"iss": GATEWAY, "jti": "g1", "iat": NOW - 10},
        {"iss": PROVIDER, "jti": "t1", "iat": NOW - 20},
        {"iss": PROVIDER},
    ]


@pytest.mark.parametrize(
    ("left", "lifetime"),
    [(3_600, 60), (60, 60), (59.9, 59), (21, 21), (20, 20), (0.5, 0), (-3, -3)],
)
def test_a_token_never_outlives_that_of_the_caller(
    tokens: InternalTokens, left: float, lifetime: int
) -> None:
    token = tokens.issue(make_caller(expires_at=NOW + left), "inventory", SCOPES)
    claims = read(tokens, token, min(NOW, NOW + lifetime - 1)) if lifetime > 0 else None
    if claims is None:
        with pytest.raises(Refused):
            read(tokens, token)
    else:
        assert claims["exp"] - NOW == lifetime


@pytest.mark.parametrize(
    ("left", "reused_for"),
    [(3_600, 40), (60, 40), (50, 30), (25, 5), (20, 20), (5, 5), (0.5, 0), (-3, 0)],
)
def test_a_token_is_reused_while_20_seconds_remain_or_for_all_of_a_shorter_life(
    tokens: InternalTokens, clock: ManualClock, left: float, reused_for: float
) -> None:
    caller = make_caller(expires_at=NOW + left)
    first = tokens.issue(caller, "inventory", SCOPES)
    if reused_for:
        clock.time = math.nextafter(NOW + reused_for, 0)
        assert tokens.issue(caller, "inventory", SCOPES) == first
    clock.time = NOW + reused_for
    assert tokens.issue(caller, "inventory", SCOPES) != first


def test_a_clock_that_is_set_back_ends_the_reuse(
    tokens: InternalTokens, clock: ManualClock
) -> None:
    first = tokens.issue(make_caller(), "inventory", SCOPES)
    clock.time = NOW - 1
    second = tokens.issue(make_caller(), "inventory", SCOPES)
    assert read(tokens, second, NOW - 1)["exp"] == NOW + 59
    assert first != second


def test_each_caller_service_and_scope_set_has_a_token_of_its_own(tokens: InternalTokens) -> None:
    issued = [
        tokens.issue(make_caller(), "inventory", SCOPES),
        tokens.issue(make_caller(), "orders", SCOPES),
        tokens.issue(make_caller(), "inventory", ("stock:write",)),
    ]
    again = tokens.issue(make_caller(), "inventory", list(SCOPES))
    assert len(set(issued)) == 3
    assert again == issued[0]
    other = tokens.issue(make_caller(issuer="https://other.example"), "inventory", SCOPES)
    assert other not in issued


def test_the_cache_keeps_the_tokens_that_were_used_last(tokens: InternalTokens) -> None:
    first, second, third = (tokens.issue(make_caller(), name, SCOPES) for name in "abc")
    assert tokens.issue(make_caller(), "a", SCOPES) == first
    tokens.issue(make_caller(), "d", SCOPES)
    assert len(tokens) == 3
    assert tokens.issue(make_caller(), "a", SCOPES) == first
    assert tokens.issue(make_caller(), "c", SCOPES) == third
    assert tokens.issue(make_caller(), "b", SCOPES) != second


def test_other_keys_sign_at_once_and_the_former_tokens_are_not_sent_again(
    tokens: InternalTokens,
) -> None:
    former = tokens.issue(make_caller(), "inventory", SCOPES)
    tokens.keys.use_keys(SigningKeys([generate_signing_key("EdDSA", 0)]))
    token = tokens.issue(make_caller(), "inventory", SCOPES)
    assert read(tokens, token)["aud"] == "inventory"
    with pytest.raises(Refused):
        read(tokens, former)


def test_no_repr_has_a_token_or_a_key(tokens: InternalTokens) -> None:
    token = tokens.issue(make_caller(), "inventory", SCOPES)
    assert "cached=1" in repr(tokens)
    assert token not in repr(tokens)
