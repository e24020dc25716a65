"""Names in generated code."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.scaffold.names import InvalidName, name_package, name_project, name_service


@pytest.mark.parametrize(
    ("service", "client", "model"),
    [
        ("orders", "Orders", "Order"),
        ("order_histories", "OrderHistories", "OrderHistory"),
        ("search", "Search", "SearchItem"),
        ("address", "Address", "AddressItem"),
        ("status", "Status", "StatusItem"),
        ("s", "S", "SItem"),
        ("ies", "Ies", "Ie"),
    ],
)
def test_a_service_has_a_client_and_a_model(service: str, client: str, model: str) -> None:
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
    "service",
    ["", "Orders", "order-items", "1st", "class", "a b", "ö", "x" * 33, "a__b", "a_", "_a", "a\n"],
)
def test_a_name_that_code_cannot_have_is_refused(service: str) -> None:
    with pytest.raises(InvalidName, match="the name of a service consists of"):
        name_service(service)


@pytest.mark.parametrize(
    ("folder", "project", "package"),
    [
        ("acme", "acme", "acme"),
        ("Acme-Gateway", "acme-gateway", "acme_gateway"),
        ("Acme Gateway", "acme-gateway", "acme_gateway"),
        ("a.b c", "a-b-c", "a_b_c"),
        ("a-", "a", "a"),
        ("_a__b_", "a-b", "a_b"),
    ],
)
def test_a_project_and_its_package_are_named_after_the_folder(
    folder: str, project: str, package: str
) -> None:
    assert (name_project(folder), name_package(folder)) == (project, package)


# PEP 508, and the grammar of the name of an image.
PROJECT = re.compile(r"[A-Z0-9]([A-Z0-9._-]*[A-Z0-9])?", re.IGNORECASE | re.ASCII)
IMAGE = re.compile(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*", re.ASCII)


@given(st.text(max_size=8) | st.from_regex("[A-Za-z0-9Ü\u0130._ -]{1,8}", fullmatch=True))
@example("Acme Gateway")
@example("Ünal")
@example("a-")
def test_the_name_of_an_accepted_project_is_valid(folder: str) -> None:
    try:
        package = name_package(folder)
    except InvalidName:
        return
    assert PROJECT.fullmatch(name_project(folder))
    assert IMAGE.fullmatch(name_project(folder))
    assert package.isidentifier()


@pytest.mark.parametrize("project", ["gateway", "config", "tests", "json", "httpx", "email"])
def test_a_package_cannot_hide_another_module(project: str) -> None:
    with pytest.raises(InvalidName, match=f"already is a Python module called {project}"):
        name_package(project)
