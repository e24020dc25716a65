"""Claims with dots in their names, and nested claims."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.auth.jwt.claim_path import compile_claim_path
from tests.gateway.auth.jwt.claim_checks import check

HASURA = "https://hasura.io/jwt/claims"


@pytest.mark.parametrize(
    ("name", "claims", "value"),
    [
        ("a", {"a": 1}, 1),
        ("a", {}, None),
        ("", {"": 1}, None),
        ("a.b", {"a": {"b": 1}}, 1),
        ("a.b", {"a.b": 2, "a": {"b": 1}}, 2),
        ("a.b", {"a.b": None, "a": {"b": 1}}, 1),
        ("a.b", {"a": [1]}, None),
        ("a.b", {"a": "b"}, None),
        ("a.b", {"a": {"b": None}}, None),
        ("a.b.c", {"a": {"b": {"c": 1}}}, 1),
        ("a.b.c", {"a.b": {"c": 1}, "a": {"b": {"c": 2}}}, 1),
        ("a.b.c", {"a.b": {"x": 1}, "a": {"b": {"c": 2}}}, 2),
        ("a.b.c", {"a": {"b.c": 3}}, 3),
        ("a.", {"a": {"": 1}}, 1),
        ("a..b", {"a": {"": {"b": 1}}}, 1),
        ("realm_access.roles", {"realm_access": {"roles": ["x"]}}, ["x"]),
        ("resource_access.my.client.roles", {"resource_access": {"my.client": {"roles": 1}}}, 1),
        ("https://example.com/roles", {"https://example.com/roles": ["x"]}, ["x"]),
        ("https://example.com/roles", {"https://example": {"com/roles": 1}}, 1),
        (f"{HASURA}.x-hasura-user-id", {HASURA: {"x-hasura-user-id": "7"}}, "7"),
    ],
)
def test_a_claim_is_read(name: str, claims: dict[str, Any], value: object) -> None:
    assert compile_claim_path(name)(claims) == value


NAMES = st.lists(st.sampled_from(["a", "b", "a.b", ""]), min_size=1, max_size=3).map(".".join)
CLAIMS = st.recursive(
    st.integers() | st.none(), lambda inner: st.dictionaries(NAMES, inner, max_size=3)
)


def _find_plainly(name: str, value: object) -> object:
    """Find the claim by the definition: the longest name that leads to a value wins."""
    if not isinstance(value, dict):
        return None
    for key in sorted(value, key=len, reverse=True):
        if name == key and value[key] is not None:
            return value[key]
        if name.startswith(f"{key}."):
            found = _find_plainly(name[len(key) + 1 :], value[key])
            if found is not None:
                return found
    return None


@given(NAMES.filter(bool), st.dictionaries(NAMES, CLAIMS, max_size=4))
def test_the_longest_name_that_leads_to_a_value_wins(name: str, claims: dict[str, Any]) -> None:
    assert compile_claim_path(name)(claims) == _find_plainly(name, claims)


def test_every_setting_of_a_claim_takes_a_path() -> None:
    principal = check(
        {"app_metadata": {"id": 7, "org": "acme"}, "realm_access": {"roles": ["a", "b"]}},
        scope_claim="realm_access.roles",
        user_claim="app_metadata.id",
        service_claim="app_metadata.client",
        tenant_claim="app_metadata.org",
    )
    assert principal.scopes == {"a", "b"}
    assert (principal.user_id, principal.service, principal.tenant) == ("7", None, "acme")
