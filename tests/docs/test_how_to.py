"""The how-to pages do what they say."""

import json
import re
import tomllib

import httpx
import pytest
from fastapi import FastAPI, Request
from slowapi.util import get_remote_address

from gateway.cli import check
from gateway.cli.main import main
from gateway.errors import problem_json
from gateway.ratelimit.compat.slowapi import Limiter
from gateway.ratelimit.dependency import Limited, limited
from gateway.ratelimit.policy import RateLimit
from gateway.settings.errors import InvalidSettings
from gateway.settings.loader import load_settings
from gateway.testing import ScriptedService
from tests.docs.blocks import blocks, matches
from tests.docs.project import ROOT

HOW_TO = ROOT / "docs" / "how-to"


@pytest.fixture(autouse=True)
def _no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOCKGATE_CONFIG", raising=False)


def texts(page: str, language: str) -> list[str]:
    """The blocks of one language on a page."""
    return [block.text for block in blocks(HOW_TO / page) if block.language == language]


def test_the_policies_on_the_page_are_ones() -> None:
    declared, route = texts("set-a-rate-limit.md", "python")
    names: dict[str, object] = {"RateLimit": RateLimit}
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


def test_the_rate_in_the_environment_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    export = texts("set-a-rate-limit.md", "sh")[0]
    name, _, value = export.removeprefix("export ").strip().partition("=")
    monkeypatch.setenv(name, value)
    assert str(load_settings().limits["dashboards"]) == "240/minute"


def test_a_misspelt_policy_is_told_as_the_page_says(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (shown,) = texts("set-a-rate-limit.md", "text")
    name, _, rest = texts("set-a-rate-limit.md", "sh")[1].partition("=")
    monkeypatch.setenv(name, rest.split()[0])
    assert main(["check"]) == 2
    assert matches("…" + shown + "…", capsys.readouterr().out)


def test_both_ways_to_name_an_issuer_are_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = "connect-an-identity-provider.md"
    (toml,) = texts(page, "toml")
    (variable,) = re.findall(r"LOCKGATE_ISSUERS='(.*)'", texts(page, "sh")[0], re.DOTALL)
    assert tomllib.loads(toml)["issuers"] == json.loads(variable)
    monkeypatch.setenv("LOCKGATE_ISSUERS", variable)
    assert main(["check"]) == 0
    assert matches(texts(page, "text")[0], capsys.readouterr().out)


def test_several_issuers_must_say_their_user_claim(monkeypatch: pytest.MonkeyPatch) -> None:
    (toml,) = texts("connect-an-identity-provider.md", "toml")
    first = tomllib.loads(toml)["issuers"][0]
    second = first | {"issuer": "https://partners.example.com"}
    monkeypatch.setenv("LOCKGATE_ISSUERS", json.dumps([first, second]))
    with pytest.raises(InvalidSettings, match="user_claim"):
        load_settings()
    said = [first | {"user_claim": "sub"}, second | {"user_claim": ""}]
    monkeypatch.setenv("LOCKGATE_ISSUERS", json.dumps(said))
    assert len(load_settings().issuers) == 2


def test_the_environment_of_production_is_one_that_serves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (environment,) = texts("run-in-production.md", "text")
    for line in environment.splitlines():
        name, _, value = line.partition("=")
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert check.find_errors(settings) == []
    assert settings.counters.processes == 4
    assert all("internal" in str(upstream.url) for upstream in settings.upstreams.values())


def test_numbers_said_in_production_are_the_defaults() -> None:
    text = " ".join((HOW_TO / "run-in-production.md").read_text().split())
    settings = load_settings()
    assert f"{settings.counters.timeout_ms:g} ms at most (`counters.timeout_ms`)" in text
    assert f"every {settings.counters.retry_ms:g} ms (`counters.retry_ms`)" in text
    assert f"`server.shutdown_seconds` ({settings.server.shutdown_seconds})" in text
    assert re.search(r"useradd --uid 10001\b", (ROOT / "Dockerfile").read_text())
    assert "as user 10001" in text


def test_every_word_of_a_script_is_on_the_page() -> None:
    text = (HOW_TO / "test-a-composite.md").read_text()
    words = [
        name for name, value in vars(ScriptedService).items() if callable(value) and name[0] != "_"
    ]
    for word in set(words) - {"handle_async_request"}:
        assert f"| `{word}(" in text


async def test_slowapis_decorators_limit() -> None:
    (program,) = texts("use-slowapi-decorators.md", "python")
    names: dict[str, object] = {}
    exec(program, names)
    app = names["app"]
    transport = httpx.ASGITransport(app)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://app") as http:
        statuses = [(await http.get(f"/items/{number}")).status_code for number in range(12)]
    assert statuses == [200] * 10 + [429] * 2


async def test_without_slowapis_handler_a_refusal_is_a_problem_document() -> None:
    limiter = Limiter(get_remote_address)
    app = FastAPI()
    problem_json.install_error_handlers(app)

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
