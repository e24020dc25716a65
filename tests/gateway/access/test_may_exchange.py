"""`MayExchange(...)`: its values, its mistakes, and the sentence that it reads as."""

from typing import Any

import pytest

from gateway.access import MayExchange
from gateway.declaration.invalid_declaration import InvalidDeclaration

VALID: dict[str, Any] = {
    "services": ["stock", "orders"],
    "scopes": "stock:read",
    "on_behalf_of": "https://id.example",
}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "bff may call stock, orders with stock:read on behalf of subjects of https://id.example"),
        (
            {"services": "*", "scopes": ("a", "b"), "on_behalf_of": "*"},
            "bff may call the whole gateway with a b on behalf of subjects of any provider",
        ),
        (
            {"services": "stock", "on_behalf_of": "clients", "requires": ["ask"]},
            "bff may call stock with stock:read on behalf of clients of the gateway who hold ask",
        ),
    ],
)  # fmt: skip
def test_a_rule_reads_as_a_sentence(options: dict[str, Any], sentence: str) -> None:
    assert str(MayExchange("bff", **{**VALID, **options})) == sentence


def test_a_single_text_is_a_list_of_one() -> None:
    rule = MayExchange("bff", **VALID)
    assert rule == MayExchange("bff", **{**VALID, "scopes": ["stock:read"]})
    assert (rule.scopes, rule.on_behalf_of) == (("stock:read",), ("https://id.example",))
    assert rule.place.endswith(f"{__name__.rpartition('.')[2]}.py:{rule.line}")


@pytest.mark.parametrize(
    ("client", "options", "error"),
    [
        ("", {}, "client is ''; it must be the id of a client"),
        ("a b", {}, "client is 'a b'; it must be the id of a client"),
        (7, {}, "client is 7; it must be the id of a client"),
        ("bff", {"services": ()}, "services is empty, so that the rule permits nothing;"),
        ("bff", {"services": "Stock"}, "services has 'Stock'; it must be a name of [upstreams]"),
        ("bff", {"services": {"stock": 1}}, "services is {'stock': 1}; it must be a name of"),
        ("bff", {"services": ["*", "stock"]}, "services has '*' beside others: *, stock;"),
        ("bff", {"services": ["stock"] * 2}, "services has one twice: stock, stock"),
        ("bff", {"services": [f"s{n}" for n in range(65)]}, "services has 65, but a token names"),
        ("bff", {"scopes": ""}, "scopes has ''; it must be a scope or a list of scopes"),
        ("bff", {"scopes": "a b"}, "scopes has 'a b'; it must be a scope or a list of scopes"),
        ("bff", {"scopes": "*"}, "scopes has '*'; it must be a scope or a list of scopes"),
        ("bff", {"scopes": []}, "scopes is empty, so that the rule permits nothing;"),
        ("bff", {"scopes": None}, "scopes is None; it must be a scope or a list of scopes"),
        ("bff", {"on_behalf_of": " "}, "on_behalf_of has ' '; it must be an issuer"),
        ("bff", {"on_behalf_of": ["*", "https://id"]}, "on_behalf_of has '*' beside others"),
        ("bff", {"requires": [7]}, "requires is [7]; it must be a scope or a list of scopes"),
        ("bff", {"scope": "a"}, "there is no option scope (did you mean scopes?)"),
    ],
)  # fmt: skip
def test_a_mistake_is_refused(client: Any, options: dict[str, Any], error: str) -> None:
    with pytest.raises(InvalidDeclaration, match=r"^MayExchange\(") as caught:
        MayExchange(client, **{**VALID, **options})
    assert error in str(caught.value)


def test_a_rule_has_as_many_services_as_a_token_can_name() -> None:
    services = [f"s{number}" for number in range(64)]
    assert len(MayExchange("bff", **{**VALID, "services": services}).services) == 64


def test_all_mistakes_are_in_one_message() -> None:
    with pytest.raises(InvalidDeclaration) as caught:
        MayExchange("", services="*", scopes="", on_behalf_of=())
    assert len(str(caught.value).split("; it must be")) == 3
    assert "on_behalf_of is empty" in str(caught.value)


def test_no_field_has_a_default_that_would_permit_something() -> None:
    incomplete: Any = MayExchange
    with pytest.raises(InvalidDeclaration, match="services is missing; scopes is missing; on_beh"):
        incomplete("bff")
    with pytest.raises(InvalidDeclaration, match="'stock' has no name; only client is given"):
        incomplete("bff", "stock", scopes="a", on_behalf_of="*")
