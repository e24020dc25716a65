"""Loading a company's package, and the errors in one."""

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from gateway.app_loader import load_application
from gateway.lifespan import LifespanFailed
from gateway.settings.errors import InvalidSettings
from gateway.settings.schema import App
from gateway.testing import lockgate

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
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Package]:
    """A function that writes an importable package and returns its name."""
    name = "acme"
    monkeypatch.syspath_prepend(str(tmp_path))

    def forget() -> None:
        for module in [m for m in sys.modules if m.partition(".")[0] == name]:
            del sys.modules[module]

    def write(files: Mapping[str, str]) -> str:
        for file in {"__init__.py": "", **files}:
            path = tmp_path / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            (path.parent / "__init__.py").touch()
            path.write_text(files.get(file, ""))
        forget()
        return name

    yield write
    forget()


def find_error(package: str) -> str:
    with pytest.raises(InvalidSettings) as caught:
        load_application(App(package=package))
    (error,) = caught.value.errors
    return str(error)


def test_declarations_are_discovered_from_the_files_of_the_package(package: Package) -> None:
    name = package(
        {
            "clients/orders.py": CLIENT.format(kind="Orders", name="orders"),
            "composites/page.py": COMPOSITE,
            "limits.py": LIMITS,
        }
    )
    application = load_application(App(package=name))
    assert {service: kind.__module__ for service, kind in application.clients.items()} == {
        "orders": "acme.clients.orders"
    }
    assert list(application.policies) == ["everything"]
    assert len(application.routers) == 1


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("clients/orders.py", CLIENT.format(kind="Orders", name="orders")),
        ("composites/page.py", COMPOSITE),
        ("limits.py", LIMITS),
    ],
)
def test_a_package_may_consist_of_one_part(package: Package, file: str, text: str) -> None:
    application = load_application(App(package=package({file: text})))
    counts = (application.clients, application.policies, application.routers)
    assert sum(map(len, counts)) == 1


def test_a_package_that_declares_nothing_is_an_error(package: Package) -> None:
    assert find_error(package({})) == (
        "app.package: the package acme has no client, no composite, "
        "no router, no proxied route and no limit (name the package that contains them)"
    )


@pytest.mark.parametrize(
    "file", ["clients.py", "clients/__init__.py", "clients/a/__init__.py", "clients/a/b/orders.py"]
)
def test_a_client_is_found_in_any_module_of_clients(package: Package, file: str) -> None:
    files = {"clients/a/__init__.py": "", "clients/a/b/__init__.py": ""} if "/" in file else {}
    text = CLIENT.format(kind="Orders", name="orders")
    assert list(load_application(App(package=package({**files, file: text}))).clients) == ["orders"]


def test_a_subclass_without_a_name_of_its_own_does_not_replace_the_client(
    package: Package,
) -> None:
    text = CLIENT.format(kind="Orders", name="orders") + "class Variant(Orders): ...\n"
    (kind,) = load_application(App(package=package({"clients/orders.py": text}))).clients.values()
    assert kind.__name__ == "Orders"


def test_composites_may_be_one_module(package: Package) -> None:
    assert len(load_application(App(package=package({"composites.py": COMPOSITE}))).routers) == 1


def test_two_clients_of_one_service_are_an_error(package: Package) -> None:
    name = package(
        {
            "clients/one.py": CLIENT.format(kind="One", name="orders"),
            "clients/two.py": CLIENT.format(kind="Two", name="orders"),
        }
    )
    assert find_error(name) == (
        "acme.clients.two.Two: has the same name='orders' as acme.clients.one.One "
        "(names must be unique)"
    )


def test_two_policies_of_one_name_are_an_error(package: Package) -> None:
    twice = LIMITS + 'MORE = RateLimit("everything", "2/second")\n'
    assert find_error(package({"limits.py": twice})) == (
        "acme.limits: two policies are named 'everything' (names must be unique)"
    )


def test_a_composite_without_a_router_is_an_error(package: Package) -> None:
    assert find_error(package({"composites/page.py": ""})) == (
        "acme.composites.page: there is no `router = APIRouter()` "
        "(move a module without routes out of composites)"
    )


@pytest.mark.parametrize("file", ["clients/orders.py", "composites/page.py", "limits.py"])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("\nraise TypeError('odd')", "TypeError: odd"),
        ("def", "SyntaxError: invalid syntax"),
    ],
)
def test_a_module_that_cannot_be_imported_is_named(
    package: Package, file: str, text: str, message: str
) -> None:
    error = find_error(package({file: text}))
    module = "acme." + file.removesuffix(".py").replace("/", ".")
    assert error.startswith(f"{module}: cannot be imported: {message}")


@pytest.mark.parametrize(
    "text",
    [
        "\nraise TypeError('odd')",
        "\ndef",
        "\n    pass",
        "from gateway.ratelimit.policy import RateLimit\nRateLimit('a', 'often')",
        "import json\njson.loads('{')",
    ],
)
def test_the_error_of_a_module_names_file_and_line(
    package: Package, tmp_path: Path, text: str
) -> None:
    error = find_error(package({"limits.py": text}))
    assert error.endswith(f"({tmp_path / 'acme' / 'limits.py'}, line 2)")


@pytest.mark.parametrize("name", ["no_such_package", "no.such.package", "json.decoder"])
def test_a_missing_package_is_reported_with_its_name(name: str) -> None:
    with pytest.raises(
        InvalidSettings, match=rf"^app\.package: there is no package called '{name}'"
    ):
        load_application(App(package=name))


def test_all_errors_of_a_package_are_reported_at_once(package: Package) -> None:
    name = package(
        {
            "clients/orders.py": "1 / 0",
            "composites/page.py": "",
            "composites/other.py": "import acme.clients.orders",
            "limits.py": LIMITS + 'MORE = RateLimit("everything", "2/second")\n',
            "middleware.py": "middleware = [3]",
            "lifespan.py": "x = 1",
            "settings.py": "",
        }
    )
    with pytest.raises(InvalidSettings) as caught:
        load_application(App(package=name, settings={}))
    assert [error.path for error in caught.value.errors] == [
        "acme.clients.orders",
        "acme.limits",
        "acme.composites.page",
        "acme.middleware",
        "acme.lifespan",
        "acme.settings",
    ]


EXTENDED = {
    "settings.py": """
from gateway.settings import AppSettings
class AcmeSettings(AppSettings):
    greeting: str = "hello"
""",
    "middleware.py": """
from starlette.middleware import Middleware
class Mark:
    def __init__(self, app):
        self.app = app
    async def __call__(self, scope, receive, send):
        async def mark(message):
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-mark", b"1")]
            await send(message)
        await self.app(scope, receive, mark)
middleware = [Middleware(Mark)]
""",
    "lifespan.py": """
from contextlib import asynccontextmanager
from acme.clients.orders import Orders
from acme.settings import AcmeSettings
class Greeter:
    text = ""
    is_open = False
@asynccontextmanager
async def lifespan(resources):
    assert resources[Orders]
    greeter = resources[Greeter] = Greeter()
    greeter.text, greeter.is_open = resources[AcmeSettings].greeting, True
    yield
    greeter.is_open = False
""",
    "routers/greetings.py": """
from fastapi import APIRouter
from acme.lifespan import Greeter
from acme.settings import AcmeSettings
from gateway.auth import public
from gateway.resources import Resource
router = APIRouter(dependencies=[public("a test")])
@router.get("/greeting")
async def get_greeting(greeter: Resource[Greeter], settings: Resource[AcmeSettings]) -> list[str]:
    return [greeter.text, settings.greeting, str(greeter.is_open)]
""",
    "clients/orders.py": CLIENT.format(kind="Orders", name="orders"),
}


async def test_a_package_extends_the_gateway(
    package: Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCKGATE_APP__PACKAGE", package(EXTENDED))
    monkeypatch.setenv("LOCKGATE_APP__SETTINGS__GREETING", "hi")
    async with lockgate() as gateway:
        response = await gateway.get("/greeting")
        (greeter,) = [v for k, v in gateway.app.state.resources.items() if k.__name__ == "Greeter"]
    assert response.json() == ["hi", "hi", "True"]
    assert response.headers["x-mark"] == "1"
    assert greeter.is_open is False


def test_a_setting_of_the_package_is_validated(package: Package) -> None:
    name = package(EXTENDED)
    with pytest.raises(InvalidSettings, match=r"app\.settings\.greetng: .*did you mean greeting"):
        load_application(App(package=name, settings={"greetng": "x"}))


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("limit.py", "limits"),
        ("router/orders.py", "routers"),
        ("middlewares.py", "middleware"),
        ("client.py", "clients"),
    ],
)
def test_a_misnamed_module_is_reported(package: Package, file: str, name: str) -> None:
    error = find_error(package({file: "", "composites/page.py": COMPOSITE}))
    module = file.removesuffix(".py").partition("/")[0]
    assert error.startswith(f"acme.{module}: did you mean {name}?")


def test_a_module_with_a_name_of_its_own_is_no_error(package: Package) -> None:
    files = {"limits.py": LIMITS, "limit_names.py": "", "money.py": "", "client.py": ""}
    files["clients/orders.py"] = CLIENT.format(kind="Orders", name="orders")
    assert load_application(App(package=package(files))).policies


def test_a_lifespan_without_its_decorator_is_an_error(package: Package) -> None:
    files = {"limits.py": LIMITS, "lifespan.py": "async def lifespan(resources):\n    yield\n"}
    assert "acme.lifespan: `lifespan(resources)` is not a function decorated" in find_error(
        package(files)
    )


async def test_a_resource_that_the_lifespan_does_not_open_prevents_the_start(
    package: Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = EXTENDED["lifespan.py"].replace("resources[Greeter] = ", "")
    monkeypatch.setenv("LOCKGATE_APP__PACKAGE", package({**EXTENDED, "lifespan.py": text}))
    with pytest.raises(LifespanFailed, match=r"^/greeting uses Resource\[Greeter\], which the lif"):
        async with lockgate():
            pytest.fail("it started")
