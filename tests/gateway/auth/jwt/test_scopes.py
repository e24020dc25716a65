"""The scopes of a token."""

from typing import Any

import pytest

from tests.gateway.auth.jwt.claim_checks import check


@pytest.mark.parametrize(
    ("claims", "settings", "scopes"),
    [
        ({"scope": "a b"}, {}, {"a", "b"}),
        ({"scope": " a  b "}, {}, {"a", "b"}),
        ({"scope": ["a", "b"]}, {}, {"a", "b"}),
        ({"scope": ["a", None, 1, True, {"b": 1}, ["b"], "b c", "", "d\n"]}, {}, {"a"}),
        ({"scope": "a", "scp": "b"}, {}, {"a"}),
        ({"scope": ..., "scp": "b"}, {}, {"b"}),
        ({"scope": ..., "scp": ["b", "c"]}, {}, {"b", "c"}),
        ({"scope": None, "scp": "b"}, {}, {"b"}),
        ({"scope": ...}, {}, set()),
        # Only `scope`, the default, has a fallback.
        ({"scope": "a", "scp": "b"}, {"scope_claim": "permissions"}, set()),
        ({"permissions": ["p:q"]}, {"scope_claim": "permissions"}, {"p:q"}),
        ({"scope": "a", "perms": ["b"]}, {"scope_claim": ["scope", "perms"]}, {"a", "b"}),
        ({"scope": ..., "scp": "a", "r": ["b"]}, {"scope_claim": ["scope", "r"]}, {"a", "b"}),
        ({"scope": ..., "roles": ["b"]}, {"scope_claim": ["scp", "roles"]}, {"b"}),
        ({"scope": ...}, {"granted_scopes": ["a"]}, {"a"}),
        ({"scope": "b"}, {"granted_scopes": ["a"]}, {"a", "b"}),
        ({"scope": 7}, {}, set()),
        ({"scope": {"a": 1}}, {}, set()),
        ({"scope": {"a": {}}}, {}, set()),
        ({"roles": {"a": {"1": "x"}, "b": {}}}, {"scope_claim": "roles"}, {"a", "b"}),
        ({"roles": {"a": {}, "b c": {}}}, {"scope_claim": "roles"}, {"a"}),
        ({"roles": {"a": False, "b": None, "c": "d", "e": ["f"]}}, {"scope_claim": "roles"}, set()),
    ],
)  # fmt: skip
def test_scopes_are_read(
    claims: dict[str, Any], settings: dict[str, Any], scopes: set[str]
) -> None:
    assert check(claims, **settings).scopes == scopes


@pytest.mark.parametrize(
    ("claims", "settings", "fault"),
    [
        ({"scope": "a"}, {}, ""),
        ({"scope": ...}, {}, ""),
        ({"scope": ""}, {}, ""),
        ({"scope": {"a": {}}}, {}, "none: scope is an object"),
        ({"scope": ..., "scp": 7}, {}, "none: scope is neither a string nor a list"),
        (
            {"roles": [{"name": "a"}]},
            {"scope_claim": "roles"},
            "none: roles is a list without a scope",
        ),
        ({"roles": {"a": False}}, {"scope_claim": ["roles", "x"]}, "none: roles is an object"),
        ({"r": "\u00e9"}, {"scope_claim": "r"}, "none: r is a string without a scope"),
    ],
)
def test_claims_of_another_type_are_named(
    claims: dict[str, Any], settings: dict[str, Any], fault: str
) -> None:
    assert check(claims, **settings).scope_fault == fault
