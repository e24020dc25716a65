"""A company's package is loaded by name, and every mistake in it is named."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from gateway.application import load_application
from gateway.settings.errors import InvalidSettings

CLIENT = """
from gateway.upstream.client import ServiceClient
class {kind}(ServiceClient, name="{name}"): ...
"""
COMPOSITE = """
from fastapi import APIRouter
router = APIRouter()
"""
LIMITS = """
from gateway.ratelimit.policy import RateLimit
ALL = RateLimit("everything", "1/second")
"""

Package = Callable[[Mapping[str, str]], str]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Package:
    """Write an importable package; gives its name."""
    name = "acme"
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(files: Mapping[str, str]) -> str:
        for file in {"__init__.py": "", **files}:
            path = tmp_path / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            (path.parent / "__init__.py").touch()
            path.write_text(files.get(file, ""))
        for module in [m for m in sys.modules if m.partition(".")[0] == name]:
            del sys.modules[module]
        return name

    return write


def test_a_file_in_the_package_is_all_that_a_declaration_takes(package: Package) -> None:
    name = package(
        {
            "clients/orders.py": CLIENT.format(kind="Orders", name="orders"),
            "composites/page.py": COMPOSITE,
            "limits.py": LIMITS,
        }
    )
    found = load_application(name)
    assert {service: kind.__module__ for service, kind in found.clients.items()} == {
        "orders": "acme.clients.orders"
    }
    assert list(found.policies) == ["everything"]
    assert len(found.routers) == 1


def test_a_package_may_leave_out_what_it_does_not_need(package: Package) -> None:
    found = load_application(package({}))
    assert (found.clients, found.policies, found.routers) == ({}, {}, [])


def test_two_clients_of_one_service_are_refused(package: Package) -> None:
    name = package(
        {
            "clients/one.py": CLIENT.format(kind="One", name="orders"),
            "clients/two.py": CLIENT.format(kind="Two", name="orders"),
        }
    )
    with pytest.raises(TypeError, match=r"acme.clients.two.Two and acme.clients.one.One: both"):
        load_application(name)


def test_two_policies_of_one_name_are_refused(package: Package) -> None:
    twice = LIMITS + 'MORE = RateLimit("everything", "2/second")\n'
    with pytest.raises(TypeError, match="two policies are called 'everything'"):
        load_application(package({"limits.py": twice}))


def test_a_composite_without_a_router_is_refused(package: Package) -> None:
    with pytest.raises(TypeError, match=r"acme.composites.page has no `router = APIRouter\(\)`"):
        load_application(package({"composites/page.py": ""}))


@pytest.mark.parametrize("name", ["no_such_package", "no.such.package", "json.decoder", ""])
def test_a_package_that_is_not_there_is_named(name: str) -> None:
    with pytest.raises(InvalidSettings, match=r"app\.package \[LOCKGATE_APP__PACKAGE\]"):
        load_application(name)


def test_a_clone_takes_the_shop_where_no_package_is_named() -> None:
    found = load_application(None)
    assert sorted(found.clients) == [
        "catalog", "notifications", "orders", "recommendations", "users"
    ]  # fmt: skip
    assert sorted(found.policies) == ["dashboards", "storefronts"]
    assert len(found.routers) == 2
