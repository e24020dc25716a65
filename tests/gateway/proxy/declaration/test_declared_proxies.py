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
        ({"proxies.py": LISTED, "limits.py": ""}, "acme.proxies: did you mean routes?"),
        ({"router.py": LISTED, "limits.py": ""}, "acme.router: did you mean routers?"),
        (
            {"routes.py": ROUTES.format('routes = [Proxy("/a/{path:path}", to="a")]')},
            "acme/routes.py:3: Proxy('/a/{path:path}'): it declares no access",
        ),
    ],
)  # fmt: skip
def test_a_mistake_is_an_error(tmp_path: Path, files: dict[str, str], error: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        load_application(write(tmp_path, files))
    (found,) = map(str, caught.value.errors)
    assert error in found


def test_the_mistakes_of_all_routes_are_found_in_one_run(tmp_path: Path) -> None:
    listed = """routes = [
    *MORE,
    Proxy("/a/{path:path}", to="a", timeout=-1, identity="jwt"),
    Proxy("/b/{path:path}", to="b", require="b:read"),
    Proxy("/c/{path:path}", "c", "c:read", limits=()),
    Proxy("/d/{path:path}", to="d", requires=(), methods=["PSOT"]),
]
"""
    files = {
        "routes.py": ROUTES.format(f"from acme.more import MORE\n{listed}"),
        "more.py": ROUTES.format('MORE = [Proxy("/e", to="e", requires=())]'),
    }
    with pytest.raises(InvalidSettings) as caught:
        load_application(write(tmp_path, files))
    found = [str(error).partition("acme/")[2] for error in caught.value.errors]
    expected = [
        "more.py:3: Proxy('/e'): target is missing: a path without a parameter does not say",
        "routes.py:6: Proxy('/a/{path:path}'): timeout is -1; it must be",
        "routes.py:6: Proxy('/a/{path:path}'): identity is 'jwt'; it must be",
        "routes.py:7: Proxy('/b/{path:path}'): there is no option require (did you mean requires?)",
        "routes.py:8: Proxy('/c/{path:path}'): 'c:read' has no name; only path and to are given",
        "routes.py:8: Proxy('/c/{path:path}'): there is no option limits (did you mean limit?)",
        "routes.py:9: Proxy('/d/{path:path}'): methods has 'PSOT', which is not a method",
    ]
    assert len(found) == len(expected)
    for line, start in zip(found, expected, strict=True):
        assert line.startswith(start)


def test_a_listed_route_is_no_error_in_the_module_that_imports_it(tmp_path: Path) -> None:
    files = {
        "routes.py": ROUTES.format("from acme.stock import STOCK\nroutes = [STOCK]"),
        "stock.py": ROUTES.format(f"STOCK = {STOCK}"),
    }
    assert len(load_application(write(tmp_path, files)).proxies) == 1
