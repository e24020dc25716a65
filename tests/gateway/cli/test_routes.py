"""`lockgate routes` lists what each route declares."""

import json
import re
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
    assert table[-4:] == [
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
        "methods": ["GET"],
        "path": "/page/{user_id}",
        "scopes": ["page:read"],
        "owner": "user_id",
        "dpop": False,
        "public": None,
        "limits": [
            {
                "name": "pages",
                "rate": "10/minute",
                "limit": None,
                "burst": None,
                "shadow": False,
                "per": "user",
                "tiers": {},
                "tier_claim": None,
                "without_redis": "local",
                "prefetch": None,
                "cost": 1,
            }
        ],
        "services": ["orders", "users"],
        "composites": ["Page"],
        "proxy": None,
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


SLOWAPI = """
from fastapi import APIRouter, Request

from acme.limits import CHATS
from gateway.auth import public
from gateway.ratelimit import limited
from gateway.ratelimit.compat.slowapi import Limiter

router, limiter = APIRouter(dependencies=[public("news")]), Limiter(lambda: "all")


@router.api_route("/slow", methods=["GET", "HEAD", "POST"], dependencies=[limited(CHATS)])
@limiter.limit("5/hour;2 per 3 minutes")
@limiter.limit(lambda: "9/minute", methods=["get"])
@limiter.limit("1/day", methods=["PUT"])
async def get_slow(request: Request) -> int:
    return 1


@router.get("/free")
@limiter.limit("5/hour")
@limiter.exempt
async def get_free(request: Request) -> int:
    return 1
"""


def test_the_limits_of_slowapis_decorators_are_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / PACKAGE / "composites" / "slow.py").write_text(SLOWAPI)
    assert main(["routes"]) == 0
    rows = {
        tuple(row.split(maxsplit=2)[:2]): row.partition("public: news")[2].strip()
        for row in capsys.readouterr().out.splitlines()
    }
    always = "chats 5/second per address, slowapi 5 per 1 hour, slowapi 2 per 3 minute"
    every_method = {"GET": f"{always}, slowapi computed", "POST": always}
    every_method["HEAD"] = every_method["GET"]
    for method, limits in every_method.items():
        columns = re.split("  +", rows[method, "/slow"])
        assert sorted(columns[0].split(", ")) == sorted(limits.split(", "))
    assert rows["GET", "/free"].startswith("-")
    assert main(["routes", "--json"]) == 0
    limits_by_route = {
        (route["method"], route["path"]): route["limits"]
        for route in json.loads(capsys.readouterr().out)
    }
    (chats, *decorated) = limits_by_route["POST", "/slow"]
    assert all(limit.keys() == chats.keys() for limit in decorated)
    found = {
        (it["name"], it["rate"], it["per"], it["shadow"], str(it["tiers"])) for it in decorated
    }
    assert ("slowapi", "5 per 1 hour", None, False, "{}") in found
    assert limits_by_route["GET", "/free"] == []


TIERS = """
from fastapi import APIRouter

from gateway.auth import requires
from gateway.ratelimit import ConcurrencyLimit, RateLimit, limited

PLANS = RateLimit("plans", "60/minute", tiers={"pro": "600/minute"}, tier_claim="plan", cost=5)
REPORTS = RateLimit("reports", "9/minute", burst=3, prefetch=None, cost=lambda request: 2)
STREAMS = ConcurrencyLimit("streams", 4, tiers={"pro": 8}, tier_claim="plan", shadow=True)
router = APIRouter(dependencies=[requires(), limited(PLANS, REPORTS, STREAMS)])


@router.get("/tiers")
async def get_tiers() -> int:
    return 1
"""


def test_tiers_costs_and_concurrency_of_limits_are_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / PACKAGE / "composites" / "tiers.py").write_text(TIERS)
    assert main(["routes"]) == 0
    (row,) = [it for it in capsys.readouterr().out.splitlines() if "/tiers" in it]
    assert re.split("  +", row)[3] == (
        "plans 60/minute per user by plan, cost 5, reports 9/minute burst 3 per user, "
        "cost per request, streams 4 at one time per user by plan (shadow)"
    )
    assert main(["routes", "--json"]) == 0
    routes = json.loads(capsys.readouterr().out)
    (limits,) = [it["limits"] for it in routes if it["path"] == "/tiers"]
    names = ("rate", "limit", "burst", "tiers", "tier_claim", "cost")
    assert [tuple(it[name] for name in names) for it in limits] == [
        ("60/minute", None, None, {"pro": "600/minute"}, "plan", 5),
        ("9/minute", None, 3, {}, None, "per request"),
        (None, 4, None, {"pro": 8}, "plan", 1),
    ]


ROUTES = """
from acme.limits import CHATS
from gateway.proxy import Proxy

routes = [
    Proxy(
        "/chat/{path:path}",
        to="chat",
        requires="chat:use",
        websocket=True,
        tickets=True,
        outlive_token=True,
        identity="none",
    ),
    Proxy(
        "/orders/{user_id}/{path:path}",
        to="orders",
        requires=(),
        owner="user_id",
        limit=CHATS,
        methods=["GET", "POST"],
        target="/v2/{user_id}/{path}",
        identity="headers",
    ),
]
"""


def test_a_proxied_route_is_one_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / PACKAGE / "routes.py").write_text(ROUTES)
    assert main(["routes"]) == 0
    *_, chat, orders = [re.split("  +", row) for row in capsys.readouterr().out.splitlines()]
    assert chat == [
        "ANY",
        "/chat/{path:path}",
        "chat:use",
        "-",
        "proxy chat, websocket, tickets, outlive_token",
        "acme/routes.py:6",
    ]
    assert orders == [
        "GET/POST/HEAD",
        "/orders/{user_id}/{path:path}",
        "any token, owner user_id",
        "chats 5/second per address",
        "proxy orders",
        "acme/routes.py:15",
    ]


def test_the_json_of_a_proxied_route(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / PACKAGE / "routes.py").write_text(ROUTES)
    assert main(["routes", "--json"]) == 0
    *_, chat, orders = json.loads(capsys.readouterr().out)
    assert (chat["method"], len(chat["methods"]), chat["services"]) == ("ANY", 33, ["chat"])
    assert (orders["method"], orders["methods"]) == ("GET/POST/HEAD", ["GET", "HEAD", "POST"])
    assert orders["proxy"] == {
        "service": "orders",
        "target": "/v2/{user_id}/{path}",
        "identity": "headers",
        "websocket": False,
        "tickets": False,
        "outlive_token": False,
    }
