"""`lockgate routes` lists what each route declares."""

import json
from pathlib import Path

import pytest

from gateway.cli.main import main
from tests.gateway.cli.wrong_configuration import PACKAGE, Wrong

LIVE = """
from fastapi import APIRouter, WebSocket

from acme.limits import CHATS
from gateway.auth import public, requires
from gateway.ratelimit import limited

router = APIRouter(prefix="/live")


@router.websocket("/feed", dependencies=[requires()])
async def feed(socket: WebSocket) -> None: ...


@router.api_route(
    "/news", methods=["GET", "POST"], dependencies=[public("news"), limited(CHATS)]
)
async def get_news() -> int:
    return 1
"""


@pytest.fixture(autouse=True)
def _package(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = Wrong("", text=None, files={"composites/live.py": LIVE})
    case.write(folder)
    for name, value in case.get_variables().items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("LOCKGATE_ISSUERS")


def test_the_table_is_aligned(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCKGATE_LIMITS__PAGES", "20/minute")
    assert main(["routes"]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    starts = [head.index(title) for title in head.split()]
    table = [
        [row[a:b].strip() for a, b in zip(starts, [*starts[1:], None], strict=True)]
        for row in [head, *rows]
    ]
    assert table[0] == ["METHOD", "PATH", "ACCESS", "LIMITS", "SERVICES", "FILE"]
    assert table[6:] == [
        ["WEBSOCKET", "/live/feed", "any token", "-", "-", "acme/composites/live.py:11"],
        [
            "GET",
            "/live/news",
            "public: news",
            "chats 5/second per address",
            "-",
            "acme/composites/live.py:15",
        ],
        [
            "POST",
            "/live/news",
            "public: news",
            "chats 5/second per address",
            "-",
            "acme/composites/live.py:15",
        ],
        [
            "GET",
            "/page/{user_id}",
            "page:read, owner user_id",
            "pages 20/minute per user",
            "orders, users",
            "acme/composites/page.py:25",
        ],
    ]


def test_the_json_has_the_same_facts(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["routes", "--json"]) == 0
    routes = json.loads(capsys.readouterr().out)
    assert [route["path"] for route in routes][:2] == ["/healthz", "/readyz"]
    assert routes[-1] == {
        "method": "GET",
        "path": "/page/{user_id}",
        "scopes": ["page:read"],
        "owner": "user_id",
        "public": None,
        "limits": [
            {"name": "pages", "rate": "10/minute", "burst": None, "per": "user", "shadow": False}
        ],
        "services": ["orders", "users"],
        "composites": ["Page"],
        "file": "acme/composites/page.py",
        "line": 25,
    }


def test_an_unguarded_route_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    live = tmp_path / PACKAGE / "composites" / "live.py"
    live.write_text(LIVE.replace('public("news"), ', ""))
    assert main(["routes"]) == 2
    assert capsys.readouterr().err == (
        "lockgate: acme/composites/live.py:15: GET/POST /live/news: "
        'add requires("scope") or public("why") to its dependencies\n'
    )
