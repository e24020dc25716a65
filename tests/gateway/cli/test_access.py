"""`lockgate access` lists who may call what."""

import json
import re
from pathlib import Path

import pytest

from gateway.cli.main import main
from tests.gateway.cli.wrong_configuration import Wrong

ROUTES = """
from gateway.proxy import Proxy

routes = [
    Proxy(
        "/stock/{user_id}/{path:path}",
        to="stock",
        requires=["stock:read", "page:read"],
        owner="user_id",
        identity="none",
    ),
    Proxy("/shop/{path:path}", to="stock", public="a shop window", methods=["POST"]),
    Proxy("/any/{path:path}", to="orders", requires=(), identity="none"),
]
"""

ACCESS = """
from gateway.access import MayExchange

access = [
    MayExchange("bff", services="stock", scopes="stock:read", on_behalf_of="https://idp"),
    MayExchange("batch", services="*", scopes=["a", "b"], on_behalf_of="clients", requires="c"),
    MayExchange("bff", services=["stock", "orders"], scopes="a", on_behalf_of="*"),
]
"""


@pytest.fixture(autouse=True)
def _package(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = Wrong("", text=None, files={"routes.py": ROUTES, "access.py": ACCESS})
    case.write(folder)
    for name, value in case.get_variables().items():
        monkeypatch.setenv(name, value)


def test_the_json_lists_routes_by_scopes_and_by_service(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["access", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    stock = {
        "method": "ANY",
        "path": "/stock/{user_id}/{path:path}",
        "scopes": ["stock:read", "page:read"],
        "owner": "user_id",
        "dpop": False,
        "public": None,
        "services": ["stock"],
    }
    one, both = found["scopes"]
    assert one["scopes"] == ["page:read"]
    assert [it["path"] for it in one["routes"]] == ["/page/{user_id}"]
    assert both == {"scopes": ["page:read", "stock:read"], "routes": [stock]}
    assert [it["path"] for it in found["any_token"]][-1] == "/any/{path:path}"
    shop = {
        "method": "POST",
        "path": "/shop/{path:path}",
        "scopes": [],
        "owner": None,
        "dpop": False,
        "public": "a shop window",
        "services": ["stock"],
    }
    assert shop in found["public"]
    assert found["services"]["stock"] == [stock, shop]
    assert [it["path"] for it in found["services"]["orders"]] == [
        "/page/{user_id}",
        "/any/{path:path}",
    ]
    assert found["exchanges"][1] == {
        "client": "batch",
        "services": ["*"],
        "scopes": ["a", "b"],
        "on_behalf_of": ["clients"],
        "requires": ["c"],
        "file": "acme/access.py",
        "line": 6,
    }
    assert [it["client"] for it in found["exchanges"]] == ["bff", "batch", "bff"]


def test_the_text_has_a_section_for_each_set_of_scopes_service_and_client(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["access"]) == 0
    sections = capsys.readouterr().out.rstrip("\n").split("\n\n")
    assert [section.splitlines()[0] for section in sections] == [
        "A token with the scope page:read may call:",
        "A token with the scopes page:read and stock:read may call:",
        "Any valid token may call:",
        "Without a token, all callers may call:",
        "The service orders is called by:",
        "The service stock is called by:",
        "The service users is called by:",
        "By token exchange, the client batch may call:",
        "By token exchange, the client bff may call:",
    ]
    assert [re.split(" {2,}", line.strip()) for line in sections[-1].splitlines()[1:]] == [
        ["stock", "with stock:read", "for subjects of https://idp", "acme/access.py:5"],
        ["stock, orders", "with a", "for subjects of any provider", "acme/access.py:7"],
    ]
    assert "who hold c" in sections[-2]
    assert sections[1].splitlines()[1].split("  ")[1:] == [
        "ANY",
        "/stock/{user_id}/{path:path}",
        "stock:read page:read, owner user_id",
        "services: stock",
    ]
