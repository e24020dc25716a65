"""Executes the code, settings and commands of the how-to pages."""

import json
import re
import tomllib
from collections.abc import AsyncIterator
from inspect import signature
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
from fastapi import APIRouter, FastAPI, Request
from slowapi.util import get_remote_address
from starlette.requests import HTTPConnection

from gateway.auth.dependencies import requires
from gateway.cli import check
from gateway.cli.main import main
from gateway.errors.handlers import install_error_handlers
from gateway.ratelimit.compat.slowapi import Limiter
from gateway.ratelimit.cost import compute_cost
from gateway.ratelimit.limited_dependency import Limited, limited
from gateway.ratelimit.policy import RateLimit
from gateway.settings.errors import InvalidSettings
from gateway.settings.loader import load_settings
from gateway.testing.script import ScriptMethods
from gateway.upstream import (
    NoContent,
    ServiceClient,
    UpstreamResponse,
    UpstreamUnavailable,
)
from gateway.upstream.open_client import open_client
from tests.docs.blocks import matches, parse_blocks
from tests.docs.project import ROOT
from tests.gateway.ratelimit.compat.patient_engine import wait_long_for_redis
from tests.redis_server import RedisServer

HOW_TO = ROOT / "docs" / "how-to"


@pytest.fixture(autouse=True)
def _no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOCKGATE_CONFIG", raising=False)


def block_texts(page: str, language: str) -> list[str]:
    """Return the code blocks of one language on a page."""
    return [block.text for block in parse_blocks(HOW_TO / page) if block.language == language]


def test_the_policies_on_the_page_are_valid() -> None:
    declared, route, *_ = block_texts("set-a-rate-limit.md", "python")
    names: dict[str, object] = {}
    exec(declared, names)
    chat, partners, searches = (names[name] for name in ("CHAT", "PARTNERS", "SEARCHES"))
    assert isinstance(chat, RateLimit)
    assert chat.without_redis == "deny"
    assert isinstance(partners, RateLimit)
    assert partners.shadow
    assert isinstance(searches, RateLimit)
    assert searches.burst == 40
    assert "limited(CHAT, PARTNERS)" in route
    assert isinstance(limited(chat, partners).dependency, Limited)


def test_the_windows_tiers_and_costs_on_the_page_are_valid() -> None:
    names: dict[str, Any] = {}
    exec(block_texts("set-a-rate-limit.md", "python")[2], names)
    pages, reports, items = names["PAGES"], names["REPORTS"], names["ITEMS"]
    assert [rule.label for rule in pages.make_rules()] == ["pages:1s", "pages:60s"]
    assert [rule.quota for rule in reports.make_rules("enterprise")] == [50, 2_000]
    assert names["ORGS"].claims | reports.claims == {"org", "plan"}
    connection = HTTPConnection({"type": "http", "query_string": b"limit=7", "headers": []})
    assert compute_cost(items, connection) == 7


def test_the_concurrency_limits_and_the_reservation_on_the_page_are_valid() -> None:
    limits, _, reservation = block_texts("set-a-rate-limit.md", "python")[3:]
    names: dict[str, Any] = {"router": APIRouter(), "requires": requires}
    names["Question"] = names["Answer"] = dict[str, str]
    exec(limits, names)
    assert names["CHATS"].make_rules()[0].quota == 5
    assert names["STREAMS"].make_rules("pro")[0].quota == 10
    exec(reservation, names)
    [route] = names["router"].routes
    assert [it.call for it in route.dependant.dependencies][1].policies == (names["TOKENS"],)


def test_a_variable_overrides_the_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    export = block_texts("set-a-rate-limit.md", "sh")[0]
    name, _, value = export.removeprefix("export ").strip().partition("=")
    monkeypatch.setenv(name, value)
    assert str(load_settings().limits["dashboards"]) == "240/minute"


def test_the_error_for_a_misspelt_policy_is_as_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (shown,) = block_texts("set-a-rate-limit.md", "text")
    name, _, rest = block_texts("set-a-rate-limit.md", "sh")[1].partition("=")
    monkeypatch.setenv(name, rest.split()[0])
    assert main(["check"]) == 2
    assert matches("…" + shown + "…", capsys.readouterr().out)


def test_the_file_and_the_variable_configure_the_same_issuer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], signing_key: Path
) -> None:
    page = "connect-an-identity-provider.md"
    (toml,) = block_texts(page, "toml")
    (variable,) = re.findall(r"LOCKGATE_ISSUERS='(.*)'", block_texts(page, "sh")[0], re.DOTALL)
    assert tomllib.loads(toml)["issuers"] == json.loads(variable)
    monkeypatch.setenv("LOCKGATE_ISSUERS", variable)
    assert main(["check"]) == 0
    assert matches(block_texts(page, "text")[0], capsys.readouterr().out)


def test_several_issuers_must_set_user_claim(monkeypatch: pytest.MonkeyPatch) -> None:
    (toml,) = block_texts("connect-an-identity-provider.md", "toml")
    first = tomllib.loads(toml)["issuers"][0]
    second = first | {"issuer": "https://partners.example.com"}
    monkeypatch.setenv("LOCKGATE_ISSUERS", json.dumps([first, second]))
    with pytest.raises(InvalidSettings, match="user_claim"):
        load_settings()
    complete = [first | {"user_claim": "sub"}, second | {"user_claim": ""}]
    monkeypatch.setenv("LOCKGATE_ISSUERS", json.dumps(complete))
    assert len(load_settings().issuers) == 2


def test_the_production_environment_is_valid(
    monkeypatch: pytest.MonkeyPatch, signing_key: Path
) -> None:
    (environment,) = block_texts("run-in-production.md", "text")
    for line in environment.splitlines():
        name, _, value = line.partition("=")
        monkeypatch.setenv(name, value.replace("/run/secrets/signing.jwks", str(signing_key)))
    settings = load_settings()
    assert check.check_settings(settings).errors == []
    assert settings.counters.processes == 4
    named = [name for name in environment.splitlines() if name.startswith("LOCKGATE_UPSTREAMS__")]
    internal = [at for at in settings.upstreams.values() if "internal" in str(at.url)]
    assert len(internal) == len(named) == 6


def test_the_numbers_of_the_production_page_are_the_defaults() -> None:
    text = " ".join((HOW_TO / "run-in-production.md").read_text().split())
    settings = load_settings()
    assert f"{settings.counters.timeout_ms:g} ms at most (`counters.timeout_ms`)" in text
    assert f"every {settings.counters.retry_ms:g} ms (`counters.retry_ms`)" in text
    assert f"`server.shutdown_seconds` ({settings.server.shutdown_seconds})" in text
    assert re.search(r"useradd --uid 10001\b", (ROOT / "Dockerfile").read_text())
    assert "as user 10001" in text


def test_every_log_event_is_on_the_production_page() -> None:
    text = (HOW_TO / "run-in-production.md").read_text()
    rows = re.findall(r"^\| (`[\w.`, ]+`) \|", text, re.MULTILINE)
    documented = set(re.findall(r"`([\w.]+)`", " ".join(rows)))
    sources = [path.read_text() for path in (ROOT / "gateway").rglob("*.py")]
    calls = re.findall(r"\blog_event\((.*?)(?:\*\*|\)\n)", "\n".join(sources), re.DOTALL)
    calls += re.findall(r"\breport_wait\((.*?)\)", "\n".join(sources))
    calls += re.findall(r"\bRedisExchanges\((.*?)\)", "\n".join(sources))
    calls += re.findall(r"^ *event = (.*)$", "\n".join(sources), re.MULTILINE)
    logged = set(re.findall(r'"([a-z_]+\.[a-z_]+)"', " ".join(calls)))
    assert {"request.completed", "websocket.closed", "keys.fetch_failed"} <= logged
    assert documented == logged


def test_the_settings_of_calls_are_valid(tmp_path: Path) -> None:
    file = tmp_path / "lockgate.toml"
    file.write_text("\n".join(block_texts("configure-calls-to-a-service.md", "toml")))
    upstreams = load_settings(file).upstreams
    retry = upstreams["orders"].retry
    assert retry.attempts == 3
    text = (HOW_TO / "configure-calls-to-a-service.md").read_text()
    assert f"at most {retry.budget_percent:g} percent of the calls (`budget_percent`)" in text
    assert f"but {retry.budget_minimum} are always allowed" in text
    assert upstreams["orders"].forward_token
    assert upstreams["recommendations"].forward_headers == ("accept-language",)
    assert upstreams["catalog"].headers["x-api-key"].get_secret_value() == "secret"


def test_the_variable_sets_the_same_headers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    page = "configure-calls-to-a-service.md"
    (export,) = block_texts(page, "sh")
    name, _, value = export.removeprefix("export ").strip().partition("=")
    file = tmp_path / "lockgate.toml"
    file.write_text(block_texts(page, "toml")[1])
    expected = load_settings(file).upstreams["catalog"].headers
    monkeypatch.setenv(name, value.strip("'"))
    assert load_settings().upstreams["catalog"].headers == expected


def load_page_clients() -> dict[str, type[ServiceClient]]:
    """Return the typed clients of configure-calls-to-a-service.md by name."""
    names: dict[str, object] = {}
    for block in block_texts("configure-calls-to-a-service.md", "python"):
        exec(block, names)
    kinds = [kind for kind in names.values() if isinstance(kind, type)]
    return {
        kind.name: kind
        for kind in kinds
        if issubclass(kind, ServiceClient) and kind is not ServiceClient
    }


async def test_the_headers_of_a_response_are_returned() -> None:
    fields = {"X-Total-Count": "7"}
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=[{"id": 1}], headers=fields))
    client: Any = load_page_clients()["invoices"]("http://invoices", transport=transport)
    response = await client.page(2)
    assert isinstance(response, UpstreamResponse)
    assert response.status == 200
    assert response.headers["x-total-count"] == "7"
    assert response.content[0].id == 1


async def test_a_response_is_streamed() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"a,b\n"
        yield b"1,2\n"

    def respond(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/exports/9"
        return httpx.Response(200, content=pieces())

    transport = httpx.MockTransport(respond)
    client: Any = load_page_clients()["exports"]("http://exports", transport=transport)
    assert [piece async for piece in client.rows(9)] == [b"a,b\n", b"1,2\n"]


async def test_the_policy_counts_every_attempt() -> None:
    orders = load_page_clients()["orders"]
    retry = (
        load_settings()
        .upstreams["orders"]
        .retry.model_copy(update={"attempts": 3, "backoff_ms": 1})
    )
    service = load_settings().upstreams["orders"].model_copy(update={"retry": retry})
    attempts = 0

    def fail(_: httpx.Request) -> httpx.Response:
        nonlocal attempts
        attempts += 1
        return httpx.Response(503)

    client = open_client(orders, service, httpx.MockTransport(fail))
    with pytest.raises(UpstreamUnavailable):
        await client.get("/orders", into=NoContent)
    (counter,) = [p for p in client._executor._policies if hasattr(p, "failures")]
    assert attempts == 3
    assert counter.failures == {("GET /orders", UpstreamUnavailable.reason): 3}


def test_every_method_of_a_scripted_service_is_on_the_page() -> None:
    text = (HOW_TO / "test-a-composite.md").read_text()
    methods = [
        name for name, value in vars(ScriptMethods).items() if callable(value) and name[0] != "_"
    ]
    assert "answers" in methods
    for method in methods:
        (row,) = re.findall(rf"^\| `{method}\((.*?)\)` \|", text, re.MULTILINE)
        shown = [parameter.partition("=")[0] for parameter in filter(None, row.split(", "))]
        assert ["self", *shown] == list(signature(getattr(ScriptMethods, method)).parameters)


async def test_the_decorator_of_slowapi_limits_requests() -> None:
    program, _ = block_texts("use-slowapi-decorators.md", "python")
    names: dict[str, object] = {}
    exec(program, names)
    app = names["app"]
    transport = httpx.ASGITransport(app)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://app") as http:
        statuses = [(await http.get(f"/items/{number}")).status_code for number in range(12)]
    assert statuses == [200] * 10 + [429] * 2


@pytest.mark.redis
async def test_an_application_without_a_gateway_counts_in_redis(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait_long_for_redis(monkeypatch)
    _, program = block_texts("use-slowapi-decorators.md", "python")
    names: dict[str, Any] = {}
    exec(program.replace("redis://127.0.0.1:6379/0", redis_server.url), names)
    app: FastAPI = names["app"]
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://app") as http:
            statuses = [(await http.get("/items")).status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
    with redis.Redis.from_url(redis_server.url) as client:
        assert client.keys("lockgate:{slow:*")


async def test_without_the_slowapi_handler_a_429_is_a_problem_document() -> None:
    limiter = Limiter(get_remote_address)
    app = FastAPI()
    install_error_handlers(app)

    @app.get("/")
    @limiter.limit("1/minute")
    async def _root(request: Request) -> str:
        return "ok"

    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://app") as http:
        await http.get("/")
        refusal = await http.get("/")
    assert refusal.status_code == 429
    assert refusal.headers["content-type"] == "application/problem+json"


def test_the_typescript_on_the_page_is_from_the_examples_that_are_compiled() -> None:
    folder = ROOT / "tests" / "typescript"
    example = "".join((folder / name).read_text() for name in ("dashboard.ts", "orders.ts"))
    blocks = block_texts("generate-typescript-types.md", "typescript")
    assert len(blocks) == 6
    for block in blocks:
        assert block in example
