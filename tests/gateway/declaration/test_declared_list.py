"""The list `access` of a package; the one of `routes` is in test_declared_proxies.py."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from gateway.app_loader import load_application
from gateway.settings.errors import InvalidSettings
from gateway.settings.schema import App

RULES = """
from gateway.access import MayExchange
from gateway.proxy import Proxy
{}
"""
STOCK = 'MayExchange("bff", services="stock", scopes="stock:read", on_behalf_of="*")'
SENTENCE = "bff may call stock with stock:read on behalf of subjects of any provider"
ROUTES = 'routes = [Proxy("/stock/{path:path}", to="stock", requires="stock:read")]'


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
    routes = RULES.replace("{}", ROUTES)
    for file, text in {"__init__.py": "", "routes.py": routes, **files}.items():
        path = folder / "acme" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return App(package="acme")


def test_the_rules_are_loaded_in_their_order(tmp_path: Path) -> None:
    other = STOCK.replace("bff", "batch")
    files = {"access.py": RULES.format(f"access = [{other}, {STOCK}]")}
    application = load_application(write(tmp_path, files))
    assert [rule.client for rule in application.access] == ["batch", "bff"]
    assert str(application.access[1]) == SENTENCE
    assert load_application(App(package="acme")).proxies[0].to == "stock"


def test_a_package_without_the_module_permits_no_exchange(tmp_path: Path) -> None:
    assert load_application(write(tmp_path, {})).access == []


@pytest.mark.parametrize(
    ("files", "error"),
    [
        (
            {"access.py": RULES.format("rules = []")},
            "acme.access: there is no `access = [MayExchange(...), ...]` (list the rules of token",
        ),
        (
            {"access.py": RULES.format("access = ['bff']")},
            "acme.access: access[0] is 'bff', which is not a MayExchange(...)",
        ),
        (
            {"access.py": RULES.format(f"access = []\nSTOCK = {STOCK}")},
            f"acme.access.STOCK: {SENTENCE} is not in the list `access` of acme.access, so it perm",
        ),
        (
            {"routes.py": RULES.replace("{}", f"{ROUTES}\nSTOCK = {STOCK}")},
            f"acme.routes.STOCK: {SENTENCE} is not in the list `access` of acme.access",
        ),
        ({"acess.py": RULES.format(f"access = [{STOCK}]")}, "acme.acess: did you mean access?"),
        (
            {"token_exchange.py": RULES.format(f"access = [{STOCK}]")},
            "acme.token_exchange: did you mean access?",
        ),
        ({"access.py": "import nothing"}, "acme.access: cannot be imported: "),
    ],
)
def test_a_mistake_is_an_error(tmp_path: Path, files: dict[str, str], error: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        load_application(write(tmp_path, files))
    (found,) = map(str, caught.value.errors)
    assert error in found


def test_the_mistakes_of_rules_and_routes_are_found_in_one_run(tmp_path: Path) -> None:
    files = {
        "access.py": RULES.format(
            'access = [\n    MayExchange("b f", services=[], scopes="a", on_behalf_of="*"),\n'
            '    MayExchange("bff", service="stock", scopes="a", on_behalf_of="*"),\n]'
        ),
        "routes.py": RULES.replace("{}", 'routes = [Proxy("/a/{path:path}", to="a")]'),
    }
    with pytest.raises(InvalidSettings) as caught:
        load_application(write(tmp_path, files))
    found = sorted(str(error).partition("acme/")[2] for error in caught.value.errors)
    expected = [
        "access.py:5: MayExchange('b f'): client is 'b f'; it must be the id of a client",
        "access.py:5: MayExchange('b f'): services is empty, so that the rule permits nothing",
        "access.py:6: MayExchange('bff'): services is missing",
        "access.py:6: MayExchange('bff'): there is no option service (did you mean services?)",
        "routes.py:4: Proxy('/a/{path:path}'): it declares no access",
    ]
    assert len(found) == len(expected)
    for line, start in zip(found, expected, strict=True):
        assert line.startswith(start)
