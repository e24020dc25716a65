"""Names in generated code."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.scaffold.names import InvalidName, name_package, name_service


@pytest.mark.parametrize(
    ("service", "client", "model"),
    [
        ("orders", "Orders", "Order"),
        ("order_histories", "OrderHistories", "OrderHistory"),
        ("search", "Search", "SearchItem"),
        ("address", "Address", "AddressItem"),
        ("status", "Status", "StatusItem"),
        ("s", "S", ""),
    ],
)
def test_a_service_has_a_client_and_a_model(service: str, client: str, model: str) -> None:
    if not model:
        model = "SItem"
    names = name_service(service)
    assert (names.service, names.client, names.model) == (service, client, model)


@given(st.from_regex(r"[a-z][a-z0-9_]{0,24}", fullmatch=True))
def test_the_client_and_the_model_are_two_identifiers(service: str) -> None:
    try:
        names = name_service(service)
    except InvalidName:
        return
    assert names.client.isidentifier()
    assert names.model.isidentifier()
    assert names.client != names.model


@pytest.mark.parametrize(
    "service", ["", "Orders", "order-items", "1st", "class", "a b", "ö", "x" * 99]
)
def test_a_name_that_code_cannot_have_is_refused(service: str) -> None:
    with pytest.raises(InvalidName, match="the name of a service consists of"):
        name_service(service)


@pytest.mark.parametrize(
    ("project", "package"), [("acme", "acme"), ("Acme-Gateway", "acme_gateway"), ("a.b c", "a_b_c")]
)
def test_a_package_is_named_after_its_project(project: str, package: str) -> None:
    assert name_package(project) == package


@pytest.mark.parametrize("project", ["gateway", "config", "tests", "json", "httpx", "email"])
def test_a_package_cannot_hide_another_module(project: str) -> None:
    with pytest.raises(InvalidName, match=f"already is a Python module called {project}"):
        name_package(project)
