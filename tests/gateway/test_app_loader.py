"""Loading a company's package, and the errors in one."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from gateway.app_loader import load_application
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
    """A function that writes an importable package and returns its name."""
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


def test_declarations_are_discovered_from_the_files_of_the_package(package: Package) -> None:
    name = package(
        {
            "clients/orders.py": CLIENT.format(kind="Orders", name="orders"),
            "composites/page.py": COMPOSITE,
            "limits.py": LIMITS,
        }
    )
    application = load_application(name)
    assert {service: kind.__module__ for service, kind in application.clients.items()} == {
        "orders": "acme.clients.orders"
    }
    assert list(application.policies) == ["everything"]
    assert len(application.routers) == 1


def test_every_part_of_a_package_is_optional(package: Package) -> None:
    application = load_application(package({}))
    assert (application.clients, application.policies, application.routers) == ({}, {}, [])


def test_two_clients_of_one_service_are_an_error(package: Package) -> None:
    name = package(
        {
            "clients/one.py": CLIENT.format(kind="One", name="orders"),
            "clients/two.py": CLIENT.format(kind="Two", name="orders"),
        }
    )
    with pytest.raises(TypeError, match=r"acme.clients.two.Two and acme.clients.one.One both have"):
        load_application(name)


def test_two_policies_of_one_name_are_an_error(package: Package) -> None:
    twice = LIMITS + 'MORE = RateLimit("everything", "2/second")\n'
    with pytest.raises(TypeError, match="two policies are named 'everything'"):
        load_application(package({"limits.py": twice}))


def test_a_composite_without_a_router_is_an_error(package: Package) -> None:
    with pytest.raises(TypeError, match=r"acme.composites.page has no `router = APIRouter\(\)`"):
        load_application(package({"composites/page.py": ""}))


@pytest.mark.parametrize("name", ["no_such_package", "no.such.package", "json.decoder", ""])
def test_a_missing_package_is_reported_with_its_name(name: str) -> None:
    with pytest.raises(InvalidSettings, match=r"app\.package \[LOCKGATE_APP__PACKAGE\]"):
        load_application(name)


def test_without_a_package_a_clone_loads_the_shop() -> None:
    application = load_application(None)
    assert sorted(application.clients) == [
        "catalog", "notifications", "orders", "recommendations", "users"
    ]  # fmt: skip
    assert sorted(application.policies) == ["dashboards", "storefronts"]
    assert len(application.routers) == 2
