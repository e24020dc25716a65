"""Every accepted name generates code that can be imported; the other names are refused."""

import builtins
import keyword
import re
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import IPv4Network
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gateway.aggregation import Composite
from gateway.app import create_app
from gateway.app_loader import Application, load_application
from gateway.route_list import list_routes
from gateway.scaffold import reserved_names
from gateway.scaffold.additions import plan_composite, plan_service
from gateway.scaffold.names import InvalidName, name_composite, name_service
from gateway.scaffold.project import create_project, write_files
from gateway.scaffold.reserved_names import (
    OWN_PATHS,
    refuse_reserved_composite,
    refuse_reserved_service,
)
from gateway.settings.app_package import SETTINGS_FILE
from gateway.settings.loader import load_settings
from gateway.settings.schema import App, Server, Settings

NUMBERS = count()


def to_snake_case(name: str) -> str:
    """Convert `APIRouter` to `a_p_i_router`, the name whose class is `APIRouter`."""
    return re.sub(r"(?<=\w)(?=[A-Z])", "_", name).lower().strip("_")


def list_risky_names() -> list[str]:
    """List names that are close to what generated code, Python and pydantic use themselves."""
    used = {
        *reserved_names._list_identifiers(),
        *keyword.kwlist,
        *keyword.softkwlist,
        *dir(builtins),
        *dir(Composite),
        *Composite.model_fields,
        "degraded",
        "docs",
        "redoc",
        "l",
        "o",
        "i",
        "query",
        "request",
        "password",
        "token",
        "package",
        "service",
        "composite",
        "test",
        "conftest",
        "fetch_orders",
        "orders",
        "order",
        "order_item",
        "orders_page",
        "get_inbox",
        "inbox_page",
    }
    names = {form for name in used for form in (to_snake_case(name), name.lower())}
    return sorted(names | {f"{name}s" for name in names})


RISKY = list_risky_names()
NAMES = st.sampled_from(RISKY) | st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder from which packages are imported."""
    folder = tmp_path_factory.mktemp("generated")
    sys.path.insert(0, str(folder))
    yield folder
    sys.path.remove(str(folder))


def write_package(folder: Path, services: list[str], composite: str) -> str:
    """Write a package with these services and a composite of all of them; return its name."""
    package = f"generated_{next(NUMBERS)}"
    files = {f"{package}/{SETTINGS_FILE}": ""}
    for service in services:
        settings = files[f"{package}/{SETTINGS_FILE}"]
        files |= plan_service(package, service, settings=settings).files
    files |= plan_composite(package, composite, services).files
    files = {name: text for name, text in files.items() if not name.startswith("tests/")}
    files[f"{package}/limits.py"] = (
        "from gateway.ratelimit import RateLimit\nPAGES = RateLimit('pages', '1/second')\n"
    )
    for name in ("", "clients/", "composites/", "fakes/"):
        files[f"{package}/{name}__init__.py"] = ""
    write_files(folder, files)
    return package


@given(services=st.lists(NAMES, min_size=1, max_size=3), composite=NAMES)
@example(["user_id"], "inbox")
@example(["upstream"], "inbox")
@example(["paths"], "inbox")
@example(["parts"], "inbox")
@example(["messages", "degraded"], "inbox")
@example(["messages", "list", "copy"], "inbox")
@example(["order", "orders"], "inbox")
@example(["messages", "fetch_orders", "orders"], "inbox")
@example(["inbox_page"], "inbox")
@example(["nones"], "inbox")
@example(["a__b"], "inbox")
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_accepted_name_generates_code_that_works(
    folder: Path, services: list[str], composite: str
) -> None:
    try:
        package = write_package(folder, services, composite)
    except InvalidName:
        return
    application = load_application(App(package=package))
    assert set(application.clients) == set(services)
    app = create_app(load_settings(package=package), application=application)
    document = app.openapi()
    page = document["components"]["schemas"][name_composite(composite).page]
    assert list(page["properties"]) == [*services, "degraded"]
    for service in services:
        fake = __import__(f"{package}.fakes.{service}", fromlist=["app"]).app
        paths = [getattr(route, "path", "") for route in fake.routes]
        assert paths.index(f"/{service}") == len(paths) - 1
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        del sys.modules[name]


NEEDED = (
    "user_id upstream path paths part parts composite degraded annotated pending_call copy json "
    "schema model_config model_x list none type a_p_i_router docs l i budget exceptions"
)


@pytest.mark.parametrize("name", NEEDED.split())
def test_a_service_cannot_have_a_name_that_its_code_needs(name: str) -> None:
    with pytest.raises(InvalidName, match=r"reserved|cannot be called"):
        refuse_reserved_service(name_service(name))


@pytest.mark.parametrize(
    "name", ["orders", "auth", "tags", "queries", "resources", "clients", "a1"]
)
def test_a_common_name_is_accepted(name: str) -> None:
    refuse_reserved_service(name_service(name))


@pytest.mark.parametrize(
    ("composite", "services", "shared"),
    [
        ("inbox", ["orders", "order"], "Order"),
        ("inbox", ["order", "order_item"], "OrderItem"),
        ("inbox", ["orders", "fetch_orders"], "fetch_orders"),
        ("inbox", ["inbox_page"], "InboxPage"),
        ("inbox", ["orders", "orders"], "orders"),
    ],
)
def test_the_names_of_a_page_differ(composite: str, services: list[str], shared: str) -> None:
    named = list(map(name_service, services))
    with pytest.raises(InvalidName, match=f"^{shared} would have two meanings on a page of inbox"):
        refuse_reserved_composite(name_composite(composite), named)


def test_generated_code_passes_the_linter_of_the_project(tmp_path: Path) -> None:
    longest = ["s" * 32, "_".join(["x"] * 16), "a" * 29 + "ies"]
    create_project(tmp_path / ("p" * 32))
    project, package = tmp_path / ("p" * 32), "p" * 32
    accepted = list[str]()
    for service in [*RISKY, *longest]:
        try:
            write_files(project, plan_service(package, service, settings="").files)
            write_files(project, plan_composite(package, service, [service]).files)
        except InvalidName:
            continue
        accepted.append(service)
    write_files(project, plan_composite(package, "c" * 32, longest).files)
    assert set(longest) < set(accepted)
    for command in (["check", "--select", "I", "--fix"], ["format"], ["check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--no-cache", "--quiet", "."],
            cwd=project, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", sorted(OWN_PATHS))
def test_a_path_of_the_gateway_is_no_composite(name: str) -> None:
    with pytest.raises(InvalidName, match="has a page of its own at that path"):
        refuse_reserved_composite(name_composite(name), [name_service("orders")])


def test_all_paths_of_the_gateway_are_reserved() -> None:
    server = Server(trusted_proxies=(IPv4Network("127.0.0.1"),), forward_auth=True)
    routes = list_routes(create_app(Settings(server=server), application=Application()), {})
    segments = {route.path.split("/")[1] for route in routes}
    assert {segment for segment in segments if segment.isidentifier()} == OWN_PATHS
