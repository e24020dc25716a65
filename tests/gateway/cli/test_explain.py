"""`lockgate explain` says what would happen to a request, and never prints the token."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.main import main
from tests.gateway.auth.token_factory import make_claims
from tests.gateway.cli.explain_shell import Shell, sign, write_package

TICKET = "A" * 43


@pytest.fixture(autouse=True)
def _package(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_package(folder, monkeypatch)


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    return Shell(capsys, monkeypatch)


def test_a_request_that_would_be_sent_to_a_service(shell: Shell) -> None:
    status, found = shell.run("GET", "/stock/7/a%20b?x=1", sign())
    assert status == 0
    assert found["route"] == "/stock/{user_id}/{path:path}"
    assert found["place"] == "acme/routes.py:6"
    assert (found["service"], found["url"]) == (
        "stock",
        "http://stock.internal:9000/v2/7/a%20b?x=1",
    )
    assert (found["admitted"], found["status"]) == (True, None)
    assert found["caller"]["subject"] == "7"
    assert found["caller"]["scopes"] == ["stock:read"]
    assert {rule["name"]: (rule["is_met"], rule["text"]) for rule in found["rules"]} == {
        "ticket": (None, "accepted in the query instead of a token; the query has none"),
        "requires": (True, "stock:read"),
        "owner": (True, "user_id"),
        "revoked": (None, "cannot be known: database_url is not set"),
        "limit": (None, "pages, 20/minute per user; not charged here"),
        "body": (None, "at most 9 bytes"),
        "identity": (None, "X-User-* fields"),
        "timeout": (
            None,
            "2 s until the head of the response, 300 s without a byte; a stream outlives the token",
        ),
        "removed": (None, "x-company-role, x-company-team"),
        "set": (None, "X-Tenant: acme, X-Team: a"),
        "response": (None, "without x-backend, server; with X-Frame-Options: DENY"),
        "websocket": (None, "a WebSocket handshake is accepted"),
    }


def test_the_text_says_the_same(shell: Shell) -> None:
    status, text = shell.print("GET", "/stock/8/a", token=f"Bearer {sign()}\n")
    route, caller, *rules, outcome = text.splitlines()
    assert (status, route) == (1, "route   /stock/{user_id}/{path:path}  acme/routes.py:6")
    assert caller.startswith("caller  7 of ")
    assert [rule.split()[:2] for rule in rules] == [
        ["ticket", "-"],
        ["requires", "yes"],
        ["owner", "no"],
    ]
    assert outcome == (
        "403 Forbidden: owner user_id: not_the_owner: the path has '8', the token is of user '7'"
    )


@pytest.mark.parametrize(
    ("request_line", "claims", "status", "outcome"),
    [
        ("GET /stock/7/a", None, 401, "requires stock:read: no_token"),
        ("GET /stock/7/a", {"exp": 1}, 401, "requires stock:read: expired"),
        ("GET /stock/7/a", {"scope": "x"}, 403,
         'requires stock:read: missing_scope: "stock:read" is required; the token has "x"'),
        ("GET /all/x", {"scope": "b"}, 403,
         'requires a b c: missing_scope: "a", "c" are required; the token has "b"'),
        ("GET /middle/", None, 400, "The path leaves a segment of the service's path empty (//)."),
        ("GET /stock/8/a", {}, 403, "owner user_id: not_the_owner"),
        ("GET /stock/7/a%2Fb", {}, 400,
         "The path has an escaped slash (%2F), which this route does not accept."),
        ("GET /stock//a", {}, 400, "The path has an empty segment (//)."),
        ("POST /shop/a", None, 405,
         "No route with this path has the method; the path has GET, HEAD, OPTIONS."),
        ("GET /nowhere", {}, 404, "No route has this path."),
        ("GET /any/a", None, 401, "requires any valid token: no_token"),
    ],
)  # fmt: skip
def test_a_request_that_would_be_refused(
    shell: Shell, request_line: str, claims: dict[str, Any] | None, status: int, outcome: str
) -> None:
    token = "" if claims is None else sign(**claims)
    method, target = request_line.split()
    exit_status, found = shell.run(method, target, token)
    assert (exit_status, found["status"], found["admitted"]) == (1, status, False)
    assert found["outcome"].startswith(outcome)
    assert found["url"] == ""


@pytest.mark.parametrize(
    ("method", "target", "status", "outcome"),
    [
        ("GET", "/shop/a", None, "The request would be sent to https://shop.internal:443/a."),
        ("HEAD", "/shop/a", None, "The request would be sent to https://shop.internal:443/a."),
        ("HEAD", "/docs", None, "The endpoint of the route would be called."),
        ("OPTIONS", "/docs", 204, "The gateway itself would list the methods: GET, HEAD, OPTIONS."),
        ("get", "/healthz", None, "The endpoint of the route would be called."),
    ],
)
def test_a_request_without_a_token_that_would_be_admitted(
    shell: Shell, method: str, target: str, status: int | None, outcome: str
) -> None:
    exit_status, found = shell.run(method, target)
    assert (exit_status, found["status"], found["outcome"]) == (0, status, outcome)


@pytest.mark.parametrize(
    ("claims", "texts"),
    [
        (
            {"plan": "pro"},
            [", 10/second, 99/minute as its plan is 'pro'", ", 8 as its plan is 'pro'"],
        ),
        ({"plan": "free"}, ["", ""]),
        ({}, ["", ""]),
    ],
)
def test_the_limit_of_the_tier_of_the_caller_is_named(
    shell: Shell, claims: dict[str, str], texts: tuple[str, str]
) -> None:
    _, found = shell.run("GET", "/plans/a", sign(**claims))
    assert [rule["text"] for rule in found["rules"] if rule["name"] == "limit"] == [
        f"plans, 9/minute per user{texts[0]}; not charged here",
        f"calls, 2 at one time per user{texts[1]}; not charged here",
    ]
    limits = [rule["limit"] for rule in found["rules"]]
    assert [it["tiers"] for it in limits if it] == [{"pro": "10/second, 99/minute"}, {"pro": 8}]
    assert [it["limit"] for it in limits if it] == [None, 2]


def test_the_token_that_a_public_route_forwards_is_called_unverified(shell: Shell) -> None:
    _, found = shell.run("GET", "/open/x")
    rules = {rule["name"]: rule["text"] for rule in found["rules"]}
    assert rules["identity"] == "the unverified token of the caller"


def test_the_proof_of_a_bound_token_is_assumed(shell: Shell) -> None:
    bound = sign(scope="a", cnf={"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"})
    status, found = shell.run("GET", "/bound/x", f"DPoP {bound}")
    assert (status, found["status"]) == (0, None)
    rules = {rule["name"]: rule["text"] for rule in found["rules"]}
    assert rules["requires"] == "a with DPoP"
    assert rules["dpop"].startswith("the token is bound to a key")
    status, found = shell.run("GET", "/bound/x", sign(scope="a"))
    assert (status, found["status"]) == (1, 401)
    assert "not_bound" in found["outcome"]


def test_the_services_of_an_endpoint_are_named(shell: Shell) -> None:
    _, found = shell.run("GET", "/page/7", sign(scope="page:read"))
    services = "it uses the services orders, users."
    assert found["outcome"] == f"The endpoint of the route would be called; {services}"


def test_a_ticket_is_not_redeemed_and_not_sent_on(shell: Shell) -> None:
    status, found = shell.run("GET", f"/stock/7/a?ticket={TICKET}&x=1")
    assert status == 0
    assert found["url"] == "http://stock.internal:9000/v2/7/a?x=1"
    assert [rule["is_met"] for rule in found["rules"][:3]] == [None, None, None]
    assert TICKET not in json.dumps(found)


def test_a_query_that_the_gateway_refuses_is_refused(shell: Shell) -> None:
    status, found = shell.run("GET", "/shop/a?" + "&".join(["a=1"] * 1_001))
    assert (status, found["status"]) == (1, 400)
    assert found["outcome"] == "The query has more than 1000 parameters."


def test_options_of_a_path_without_a_route_is_not_found(shell: Shell) -> None:
    status, found = shell.run("OPTIONS", "/nowhere")
    assert (status, found["status"], found["outcome"]) == (1, 404, "No route has this path.")


@pytest.mark.parametrize(
    ("method", "query", "token", "status", "text"),
    [
        ("GET", f"ticket={TICKET}", True, 400, "not both"),
        ("GET", f"ticket={TICKET}&ticket={TICKET}", False, 400, "more than one ticket"),
        ("POST", f"ticket={TICKET}", False, 401, "a ticket is for GET alone"),
        ("GET", "ticket=short", False, 401, "not the text of a ticket"),
    ],
)
def test_a_ticket_that_is_refused_before_it_is_redeemed(
    *, method: str, query: str, token: bool, status: int, text: str, shell: Shell
) -> None:
    exit_status, found = shell.run(method, f"/stock/7/a?{query}", sign() if token else "")
    assert (exit_status, found["status"]) == (1, status)
    assert text in found["outcome"]
    assert [(rule["name"], rule["is_met"]) for rule in found["rules"]] == [("ticket", False)]


def test_keys_that_cannot_be_fetched_are_named(
    shell: Shell, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims = make_claims()
    url = "http://127.0.0.1:9/keys"  # nothing listens there
    issuer = {"issuer": claims["iss"], "audience": claims["aud"], "jwks_url": url}
    monkeypatch.setenv("LOCKGATE_ISSUERS", json.dumps([issuer]))
    status, found = shell.run("GET", "/any/a", sign())
    assert (status, found["status"]) == (1, 503)
    assert claims["iss"] in found["outcome"]


@pytest.mark.parametrize("arguments", [["FROB", "/"], ["GET", "x"], ["GET", "/a b"]])
def test_wrong_arguments(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as exited:
        main(["explain", *arguments])
    assert exited.value.code == 2


def test_invalid_settings_are_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOCKGATE_UPSTREAMS__SHOPP__URL", "http://x")
    assert main(["explain", "GET", "/", "--no-token"]) == 2
    error = "upstreams.shopp: no client and no proxied route uses this service (did you mean shop, "
    assert f"{error}which GET/HEAD" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["GET", "/stock/7/a", "TOKEN"],
        ["GET", "TOKEN"],
        ["TOKEN", "/stock/7/a"],
        ["GET", "/stock/7/a", "--token=TOKEN"],
        ["GET", "/stock/7/a", "Bearer TOKEN"],
    ],
)
@pytest.mark.parametrize("token", [sign(), "lgs_" + "Ab3-" * 10, "lk_" + "Ab3_" * 10])
def test_a_token_that_is_given_as_an_argument_is_not_repeated(
    capsys: pytest.CaptureFixture[str], arguments: list[str], token: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["explain", *(it.replace("TOKEN", token) for it in arguments)])
    printed = capsys.readouterr()
    assert caught.value.code == 2
    assert "(a token)" in printed.err
    assert token[-20:] not in printed.err + printed.out


def test_its_help_says_where_the_token_is_read(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["explain", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "The token is read from standard input" in text
