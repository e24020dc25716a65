"""The subject, the ids and the dates of a token."""

import time
from typing import Any

import pytest

from gateway.auth.jwt.claims import ClaimRules
from tests.gateway.auth.jwt.claim_checks import (
    check,
    find_explanation,
    find_reason,
    make_issuer,
)
from tests.gateway.auth.token_factory import make_claims


@pytest.mark.parametrize(
    ("value", "user_id"),
    [
        (42, "42"),
        (0, "0"),
        (-7, "-7"),
        (99_999_999_999_999_999_999, "99999999999999999999"),
        ("042", "042"),
        ("42", "42"),
        (True, None),
        (False, None),
        (42.0, None),
        (4e2, None),
        (None, None),
        ([42], None),
        ({"id": 42}, None),
        ("", None),
        ("a\nb", None),
        ("x" * 256, None),
    ],
)
def test_an_id_is_a_printable_string_or_an_integer(value: object, user_id: str | None) -> None:
    principal = check({"uid": value}, user_claim="uid")
    assert (principal.subject, principal.user_id) == ("u1", user_id)
    assert check({"org": value}, tenant_claim="org").tenant == user_id
    assert check({"app": value}, service_claim="app").service == user_id


@pytest.mark.parametrize(
    ("claims", "settings", "subject", "user_id"),
    [
        ({"sub": 42}, {}, "42", "42"),
        ({"sub": ..., "uid": 7}, {"user_claim": "uid"}, "7", "7"),
        ({"sub": ..., "client_id": "web"}, {}, "web", None),
        ({"sub": None, "client_id": "web"}, {}, "web", None),
        ({"sub": True, "client_id": "web"}, {}, "web", None),
    ],
)
def test_a_token_without_sub_has_the_user_or_the_client_as_its_subject(
    claims: dict[str, Any], settings: dict[str, Any], subject: str, user_id: str | None
) -> None:
    principal = check(claims, **settings)
    assert (principal.subject, principal.user_id) == (subject, user_id)


@pytest.mark.parametrize("value", [..., None, True, 1.5, "", ["u1"], {"u1": 1}])
def test_a_token_without_any_subject_is_refused(value: object) -> None:
    assert find_reason({"sub": value}) == "invalid_sub"


@pytest.mark.parametrize("value", [..., None, True, "4000000000", [4_000_000_000], {}, 0, -1])
def test_nothing_excuses_exp(value: object) -> None:
    assert find_reason({"exp": value}) in {"invalid_exp", "expired"}


@pytest.mark.parametrize("value", [None, 0, 1.5])
def test_nbf_may_be_absent_null_or_past(value: object) -> None:
    assert find_reason({"nbf": value}) == ""


@pytest.mark.parametrize("value", [True, "0", [0], {}, -1])
def test_nbf_of_another_type_is_refused(value: object) -> None:
    assert find_reason({"nbf": value}) == "invalid_nbf"


@pytest.mark.parametrize("value", [None, True, "tomorrow", [4e9], {}, -1, 0, 1.5, ...])
def test_iat_decides_only_if_it_is_a_number_in_the_future(value: object) -> None:
    assert find_reason({"iat": value}) == ""
    assert find_reason({"iat": 4e9}) == "issued_in_the_future"


def test_the_log_says_how_far_a_date_is_off() -> None:
    now = time.time()
    assert find_explanation({"exp": now - 90.4}) == "exp was 90 s ago"
    assert find_explanation({"nbf": now + 90.4}) == (
        "nbf is 90 s in the future; compare the clocks, or raise clock_skew_seconds"
    )
    assert find_explanation({"exp": "soon"}) == 'exp is "soon", which is not a date'


def test_the_claims_that_policies_name_are_kept_if_they_are_texts_or_whole_numbers() -> None:
    claims = {"plan": "pro", "level": 3, "org": ["acme"], "flag": True, "rate": 1.5, "blank": ""}
    rules = ClaimRules(make_issuer(), kept=[*claims, "absent"])
    caller = rules.check(make_claims(**claims, other="x"), "", time.time())
    assert caller.claims == {"plan": "pro", "level": "3"}
    assert check(claims).claims == {}
