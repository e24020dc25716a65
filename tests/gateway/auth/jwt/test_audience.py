"""Whom a token is for."""

from typing import Any

import pytest

from tests.gateway.auth.jwt.claim_checks import find_explanation, find_reason

COGNITO = {"aud": ..., "client_id": "web"}
BY_CLIENT = {"audience": "web", "audience_claim": "client_id"}


@pytest.mark.parametrize(
    ("claims", "settings", "reason"),
    [
        ({"aud": "b"}, {"audience": ["a", "b"]}, ""),
        ({"aud": ["x", "a"]}, {"audience": ["a", "b"]}, ""),
        ({"aud": "c"}, {"audience": ["a", "b"]}, "wrong_audience"),
        ({"aud": []}, {"audience": ["a", "b"]}, "wrong_audience"),
        ({"aud": "ab"}, {"audience": ["a", "b"]}, "wrong_audience"),
        ({"aud": "a,b"}, {"audience": ["a", "b"]}, "wrong_audience"),
        ({"aud": "api://default"}, {"audience": "api://default/"}, "wrong_audience"),
        (COGNITO, BY_CLIENT, ""),
        (COGNITO | {"client_id": ["x", "web"]}, BY_CLIENT, ""),
        (COGNITO, {"audience": "web"}, "invalid_aud"),
        (COGNITO | {"client_id": "other"}, BY_CLIENT, "wrong_audience"),
        (COGNITO | {"client_id": ...}, BY_CLIENT, "invalid_aud"),
        (COGNITO | {"client_id": None}, BY_CLIENT, "invalid_aud"),
        (COGNITO | {"client_id": 7}, BY_CLIENT, "invalid_aud"),
        (COGNITO | {"client_id": ..., "azp": "web"}, BY_CLIENT, "invalid_aud"),
        # A token with `aud` is judged by it (RFC 7519, section 4.1.3).
        (COGNITO | {"aud": "web"}, BY_CLIENT, ""),
        (COGNITO | {"aud": "payments"}, BY_CLIENT, "wrong_audience"),
        (COGNITO | {"aud": "web", "client_id": "other"}, BY_CLIENT, ""),
        (COGNITO | {"aud": 7}, BY_CLIENT, "invalid_aud"),
        (COGNITO | {"aud": False}, BY_CLIENT, "invalid_aud"),
        (COGNITO | {"aud": ""}, BY_CLIENT, "wrong_audience"),
        (COGNITO | {"aud": None}, BY_CLIENT, ""),
        (COGNITO | {"aud": []}, BY_CLIENT, ""),
        ({"aud": ..., "azp": "web"}, {"audience": ["app", "web"], "audience_claim": "azp"}, ""),
        ({"aud": ..., "cid": "web"}, {"audience": "web", "audience_claim": "cid"}, ""),
    ],
)
def test_the_audience_decides(
    claims: dict[str, Any], settings: dict[str, Any], reason: str
) -> None:
    assert find_reason(claims, **settings) == reason


@pytest.mark.parametrize(
    ("claims", "settings", "explanation"),
    [
        ({"aud": "c"}, {"audience": ["b", "a"]}, 'aud is "c"; the setting audience has "a", "b"'),
        ({"aud": ...}, {}, "the token has no aud"),
        ({"aud": 7}, {}, "aud is 7, which is not an audience"),
        (
            COGNITO,
            {},
            (
                'the token has no aud, its client_id is "web"; '
                "to accept its client, set audience_claim"
            ),
        ),
        (
            {"aud": ..., "azp": "x"},
            BY_CLIENT,
            'the token has no client_id, its azp is "x"',
        ),
        (
            COGNITO | {"client_id": "x"},
            BY_CLIENT,
            'client_id is "x"; the setting audience has "web"',
        ),
        (
            {"aud": "x:" * 150},
            {"audience": [f"a{number}" for number in range(9)]},
            f'aud is "{"x:" * 39}x...; the setting audience has "a0", "a1", "a2", "a3", "a4", ...',
        ),
    ],
)
def test_the_log_says_what_was_expected(
    claims: dict[str, Any], settings: dict[str, Any], explanation: str
) -> None:
    assert find_explanation(claims, **settings) == explanation
