"""The module `routes` of a package, and a `Proxy` that is not in its list."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from gateway.app_loader import load_application
from gateway.settings.errors import InvalidSettings
from gateway.settings.schema import App

ROUTES = """
from gateway.proxy import Proxy
{}
"""
STOCK = 'Proxy("/stock/{path:path}", to="stock", requires="stock:read")'
LISTED = ROUTES.format(f"routes = [{STOCK}]")


@pytest.fixture(autouse=True)
def _forget_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def forget() -> None:
        for module in [name for name in sys.modules if name.partition(".")[0] == "acme"]:
            del sys.modules[module]

    monkeypatch.syspath_prepend(str(tmp_path))
    forget()  # another test may have imported its own
    yield
    forget()


def write(folder: Path, files: Mapping[str, str]) -> App:
    for file, text in {"__init__.py": "", **files}.items():
        path = folder / "acme" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return App(package="acme")


def test_the_routes_of_the_list_are_loaded_in_their_order(tmp_path: Path) -> None:
    files = {
        "routes.py": ROUTES.format("from acme.more import MORE\nroutes = [*MORE, " + STOCK + "]"),
        "more.py": ROUTES.format('MORE = [Proxy("/b/{path:path}", to="b", requires=())]'),
    }
    application = load_application(write(tmp_path, files))
    assert [str(proxy) for proxy in application.proxies] == [
        "ANY /b/{path:path}",
        "ANY /stock/{path:path}",
    ]
    assert [Path(proxy.file).name for proxy in application.proxies] == ["more.py", "routes.py"]


@pytest.mark.parametrize(
    ("files", "error"),
    [
        (
            {"routes.py": "x = 1"},
            "acme.routes: there is no `routes = [Proxy(...), ...]` (list the proxied routes;",
        ),
        (
            {"routes.py": ROUTES.format(f"routes = {{1: {STOCK}}}")},
            "acme.routes: there is no `routes = [Proxy(...), ...]`",
        ),
        (
            {"routes.py": ROUTES.format(f"routes = [{STOCK}, 'stock']")},
            "acme.routes: routes[1] is 'stock', which is not a Proxy(...)",
        ),
        (
            {"routes.py": ROUTES.format(f"OTHER = {STOCK}\nroutes = []")},
            "acme.routes.OTHER: ANY /stock/{path:path} is not in the list `routes` of acme.routes,",
        ),
        (
            {"routes.py": LISTED, "limits.py": ROUTES.format(f"STOCK = {STOCK}")},
            "acme.limits.STOCK: ANY /stock/{path:path} is not in the list",
        ),
        (
            {"routers/proxied.py": ROUTES.format(
                f"from fastapi import APIRouter\nrouter = APIRouter()\nroutes = [{STOCK}]"
            )},
            "acme.routers.proxied.routes: ANY /stock/{path:path} is not in the list",
        ),
        ({"route.py": LISTED, "limits.py": ""}, "acme.route: did you mean routes?"),
        ({"router.py": LISTED, "limits.py": ""}, "acme.router: did you mean routers?"),
        (
            {"routes.py": ROUTES.format('routes = [Proxy("/a/{path:path}", to="a")]')},
            "acme.routes: cannot be imported: ValueError: Proxy('/a/{path:path}'): it declares no",
        ),
    ],
)  # fmt: skip
def test_a_mistake_is_an_error(tmp_path: Path, files: dict[str, str], error: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        load_application(write(tmp_path, files))
    (found,) = map(str, caught.value.errors)
    assert error in found


def test_a_listed_route_is_no_error_in_the_module_that_imports_it(tmp_path: Path) -> None:
    files = {
        "routes.py": ROUTES.format("from acme.stock import STOCK\nroutes = [STOCK]"),
        "stock.py": ROUTES.format(f"STOCK = {STOCK}"),
    }
    assert len(load_application(write(tmp_path, files)).proxies) == 1
