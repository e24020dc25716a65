"""What the log quotes from a token that is refused."""

import pytest
from pydantic import JsonValue

from gateway.auth.jwt.jws import parse_jws
from gateway.auth.jwt.refusal import show, show_all
from gateway.errors.tree import Unauthenticated
from tests.gateway.auth.jwt.claim_checks import find_explanation
from tests.gateway.auth.token_factory import get_signing_key, make_token

SECRET = "lk_" + "Zq8" * 14 + "Z"
UUID = "7e0b3a44-1c5f-4a3e-9d52-0f6a1b2c3d4e"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("lockgate", '"lockgate"'),
        (None, "null"),
        (7, "7"),
        ("https://login.example.com/" + UUID, f'"https://login.example.com/{UUID}"'),
        (UUID, f'"{UUID}"'),
        ("a" * 31, f'"{"a" * 31}"'),
        ("a" * 32, '"aaaaaaaa..."'),
        (SECRET, '"lk_Zq8Zq..."'),
        ([SECRET, "web"], '["lk_Zq8Zq...", "web"]'),
        ({"a": SECRET}, '{"a": "lk_Zq8Zq..."}'),
        (UUID + SECRET, '"7e0b3a44..."'),
        ("a b" * 40, '"' + ("a b" * 40)[:79] + "..."),
    ],
)
def test_a_value_that_may_be_a_secret_is_cut(value: JsonValue, shown: str) -> None:
    assert show(value) == shown


def test_of_many_names_five_are_shown() -> None:
    assert show_all(list("abcdef")) == '"a", "b", "c", "d", "e", ...'
    assert (show_all([]), show_all(["a"])) == ("none", '"a"')


@pytest.mark.parametrize(
    "claims", [{"aud": SECRET}, {"aud": [SECRET]}, {"exp": SECRET}, {"cnf": SECRET}], ids=str
)
def test_no_explanation_about_claims_quotes_a_secret(claims: dict[str, JsonValue]) -> None:
    explanation = find_explanation(claims)
    assert "lk_Zq8Zq..." in explanation
    assert SECRET[:12] not in explanation


def test_no_explanation_about_a_header_quotes_a_secret() -> None:
    token = make_token({}, {"typ": SECRET}, key=get_signing_key("ES256"))
    with pytest.raises(Unauthenticated) as refusal:
        parse_jws(token)
    assert refusal.value.explanation == 'typ of the header is "lk_Zq8Zq..."'
