"""/auth/verify, asked as each gateway asks, on a socket."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from jose import jwt

from gateway.proxy.declaration.methods import PROXIED_METHODS
from tests.gateway.errors.served import Served, build_request
from tests.gateway.forward_auth.verified_app import (
    ASK,
    ask,
    ask_as_caddy,
    ask_as_envoy,
    ask_as_nginx,
    ask_as_traefik,
    ask_from,
    bearer,
    serve_verified,
)
from tests.gateway.middleware.path_spellings import write_invalid

READ, WRITE = "u1-stock_read", "u1-stock_write"
INVENTORY = "u1-inventory_read"
CORS: dict[str, Any] = {"cors_origins": ("https://app.example.com",)}


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with serve_verified() as served:
        yield served
    assert not served.log.failures


CASES: list[tuple[str, str, str | None, int]] = [
    ("GET", "/stock/a", READ, 200),
    ("GET", "/stock/a?x=1&y=%2F", READ, 200),
    ("GET", "/stock/a", None, 401),
    ("GET", "/stock/a", "bad", 401),
    ("GET", "/stock/a", "later", 503),
    ("GET", "/stock/a", WRITE, 403),
    ("HEAD", "/stock/a", READ, 200),
    ("HEAD", "/stock/a", None, 401),
    ("POST", "/stock/a", WRITE, 200),
    ("POST", "/stock/a", READ, 403),
    ("PUT", "/stock/a", WRITE, 403),  # no route has the method
    ("OPTIONS", "/stock/a", READ, 403),
    ("GET", "/stock", READ, 403),
    ("GET", "/stock/a/", READ, 403),
    ("GET", "/stock/a/b", READ, 403),
    ("GET", "/STOCK/a", READ, 403),
    ("GET", "/users/u1/cart", READ, 200),
    ("GET", "/users/u2/cart", READ, 403),
    ("GET", "/users/u2/cart", "u1-stock_read_any", 200),
    ("GET", "/open", None, 200),
    ("GET", "/files/a/b/c.txt", READ, 200),
    ("POST", "/notes", "u1-notes_write", 200),
    ("POST", "/notes", READ, 403),
    ("GET", "/inventory/a/b", INVENTORY, 200),
    ("DELETE", "/inventory/a/b", INVENTORY, 200),
    ("PROPFIND", "/inventory/", INVENTORY, 200),
    ("OPTIONS", "/inventory/a", INVENTORY, 200),  # a proxied route declares it
    ("OPTIONS", "/inventory/a", None, 401),
    ("GET", "/inventory/a", READ, 403),
    ("GET", "/inventory", INVENTORY, 403),
    ("GET", "/", READ, 403),
    ("GET", "/nowhere", READ, 403),
    ("GET", "/socket", READ, 403),
    # The gateway's own routes are not a concern of a service.
    ("GET", "/healthz", READ, 403),
    ("GET", "/readyz", None, 403),
    ("GET", "/docs", None, 403),
    ("POST", "/auth/tickets", READ, 403),
    ("GET", "/auth/verify", READ, 403),
    ("GET", "/auth/verify/stock/a", READ, 403),
    ("GET", "/auth/verify/auth/verify/stock/a", READ, 403),
    # Something else than a HeadGuard decides.
    ("GET", "/staff", READ, 403),
    ("GET", "/parameter", READ, 403),
]


@pytest.mark.parametrize("gateway", ASK)
async def test_the_rules_are_those_of_the_declared_route(served: Served, gateway: str) -> None:
    requests = [ASK[gateway](method, uri, token=token or "") for method, uri, token, _ in CASES]
    replies = await served.send(*requests)
    found = [(*case[:3], reply.status) for case, reply in zip(CASES, replies, strict=True)]
    assert found == CASES
    for reply in replies:
        if reply.status == 200:
            assert reply.body == b""
        assert reply.header("cache-control") == ["no-store"]


async def test_a_direct_request_meets_the_same_route_and_guards() -> None:
    uris = dict.fromkeys(uri for _, uri, _, _ in CASES)
    cases = [
        (method, uri, token)
        for method in ("GET", "HEAD", "POST", "DELETE")
        for uri in uris
        for token in (None, READ, WRITE, INVENTORY)
    ]
    async with serve_verified() as served:
        asked = await served.send(*(ask_as_nginx(m, uri, token=t or "") for m, uri, t in cases))
        await served.settle(len(cases))
        found = [line.get("original_route") for line in served.log.completed]
        served.log.clear()
        direct = await served.send(*(build_request(u, m, headers=bearer(t)) for m, u, t in cases))
        await served.settle(len(cases))
        routes = [line["route"] for line in served.log.completed]
    for case, verified, reply, name, route in zip(cases, asked, direct, found, routes, strict=True):
        if name is not None:
            assert name == route, case
        if verified.status == 200:
            assert reply.status not in {401, 403, 404, 405}, case
        if name is not None and verified.status == 401:
            assert reply.status == 401, case


@pytest.mark.parametrize("gateway", ASK)
async def test_a_path_that_a_direct_request_may_not_have_is_refused(
    served: Served, gateway: str
) -> None:
    for uri in write_invalid("/files/a"):
        (status,) = await ask(served, ASK[gateway]("GET", uri, token=READ))
        assert status in {400, 403}, uri
    for uri in (
        "/files/a%2Fb", "/files/a%2fb", "/files/a%5Cb", "/files/a;b", "/files/a;/../b",
        "/files/..;/b", "/files/a%252Fb", "/files/a%3Bb", "/inventory/a%2Fb", "/inventory/a;b",
        "/files/.../b",
    ):  # fmt: skip
        token = READ if uri.startswith("/files") else INVENTORY
        assert await ask(served, ASK[gateway]("GET", uri, token=token)) == [400], uri


@pytest.mark.parametrize("gateway", ASK)
async def test_a_proxied_route_may_declare_what_it_accepts(served: Served, gateway: str) -> None:
    uris = ["/projects/a%2Fb", "/projects/a;b", "/matrix/a;b=1/c", "/matrix/a%2Fb", "/matrix/..;/b"]
    requests = [ASK[gateway]("GET", uri, token=INVENTORY) for uri in uris]
    assert await ask(served, *requests) == [200, 400, 200, 400, 400]


async def test_only_a_trusted_proxy_is_believed(served: Served) -> None:
    requests = [build("GET", "/stock/a", token=READ) for build in ASK.values()]
    requests += [build("GET", "/open") for build in ASK.values()]
    for request in requests:
        assert await ask_from("127.0.0.9", served.port, request) == 403
    await served.settle(len(requests))
    reasons = {line["reason"] for line in served.log.completed}
    assert reasons == {"the peer is not one of server.trusted_proxies"}


async def test_there_is_no_forward_auth_unless_it_is_set() -> None:
    async with serve_verified(forward_auth=False) as served:
        requests = [build("GET", "/stock/a", token=READ) for build in ASK.values()]
        assert await ask(served, *requests) == [404] * len(requests)


ORIGINAL = {"X-Original-Method": "GET", "X-Original-URI": "/open"}
FORWARDED = {"X-Forwarded-Method": "GET", "X-Forwarded-Uri": "/open"}


NAMED: list[tuple[dict[str, str], int]] = [
    ({}, 400),
    (ORIGINAL, 200),
    (FORWARDED, 200),
    (ORIGINAL | FORWARDED, 200),
    (ORIGINAL | FORWARDED | {"X-Forwarded-Uri": "/stock/a"}, 400),
    (ORIGINAL | FORWARDED | {"X-Forwarded-Uri": "/open?"}, 200),
    (ORIGINAL | FORWARDED | {"X-Forwarded-Uri": "/open?x"}, 400),
    (ORIGINAL | FORWARDED | {"X-Forwarded-Method": "POST"}, 400),
    (ORIGINAL | {"X-Original-URL": "https://x/open"}, 200),
    (ORIGINAL | {"X-Original-URL": "https://x/stock/a"}, 400),
    (ORIGINAL | {"X-Forwarded-Uri": "/open"}, 400),
    (ORIGINAL | {"X-Forwarded-Method": "GET"}, 400),
    ({"X-Original-URI": "/open"}, 400),
    ({"X-Original-Method": "GET"}, 400),
    ({"X-Forwarded-Uri": "/open"}, 400),
    (ORIGINAL | {"x-original-uri": "/open"}, 400),
    (ORIGINAL | {"x-original-uri": "/stock/a"}, 400),
    (ORIGINAL | {"x-original-method": "GET"}, 400),
    (FORWARDED | {"x-forwarded-uri": "/open"}, 400),
    (ORIGINAL | {"X-Original-Method": "get"}, 400),
    (ORIGINAL | {"X-Original-Method": "GET, POST"}, 400),
    (ORIGINAL | {"X-Original-Method": ""}, 400),
    (ORIGINAL | {"X-Original-Method": "G" * 40}, 400),
    (ORIGINAL | {"X-Original-URI": ""}, 400),
    (ORIGINAL | {"X-Original-URI": "open"}, 400),
    (ORIGINAL | {"X-Original-URI": "*"}, 400),
    (ORIGINAL | {"X-Original-URI": "/open#x"}, 400),
    (ORIGINAL | {"X-Original-URI": "/open, /stock/a"}, 400),
    (ORIGINAL | {"X-Original-URI": "/op\xe9n"}, 400),
    (ORIGINAL | {"X-Original-URI": "/op\ten"}, 400),
    (ORIGINAL | {"X-Original-URI": "http://x/open"}, 400),
    (FORWARDED | {"X-Forwarded-Uri": "http://x/open"}, 400),
    ({"X-Original-Method": "GET", "X-Original-URL": "/open"}, 400),
    ({"X-Original-Method": "GET", "X-Original-URL": "https://x/open"}, 200),
    ({"X-Original-Method": "GET", "X-Original-URL": "https://x:8443/open?x=1"}, 200),
    ({"X-Original-Method": "GET", "X-Original-URL": "https://x"}, 403),
    ({"X-Original-Method": "GET", "X-Original-URL": "https://x y/open"}, 400),
    ({"X-Original-Method": "GET", "X-Original-URL": "ftp://x/open"}, 400),
    (ORIGINAL | {"X-Original-URI": "/open?" + "&" * 1_000}, 400),
    (ORIGINAL | {"X-Original-Method": "CONNECT"}, 403),
    (ORIGINAL | {"X-Original-Method": "TRACE"}, 403),
]


async def test_the_fields_must_name_one_request(served: Served) -> None:
    requests = [build_request("/auth/verify", headers=fields) for fields, _ in NAMED]
    statuses = await ask(served, *requests)
    found = [(fields, status) for (fields, _), status in zip(NAMED, statuses, strict=True)]
    assert found == NAMED
    await served.settle(len(NAMED))
    for (_, status), line in zip(NAMED, served.log.completed, strict=True):
        assert status == 200 or line["reason"]


async def test_a_forged_field_of_the_client_is_a_conflict(served: Served) -> None:
    """A gateway passes the fields of its client on, beside its own."""
    forged_for_nginx = {"X_Forwarded_Method": "GET", "X_Forwarded_Uri": "/open"}
    forged = {"X_Original_Method": "GET", "X_Original_URI": "/open"}
    requests = [
        ask_as_nginx("GET", "/stock/a", **forged_for_nginx),
        ask_as_traefik("GET", "/stock/a", **forged),
        ask_as_caddy("GET", "/stock/a", **forged),
        ask_as_envoy("GET", "/stock/a", **forged),
        ask_as_envoy("GET", "/stock/a", **forged_for_nginx),
    ]
    assert await ask(served, *requests) == [400] * len(requests)


async def test_every_method_can_be_asked_about_with_every_method(served: Served) -> None:
    requests = [
        build_request("/auth/verify", method, headers=ORIGINAL) for method in PROXIED_METHODS
    ]
    assert await ask(served, *requests) == [200] * len(PROXIED_METHODS)


async def test_a_ticket_is_redeemed_once(served: Served) -> None:
    body = b'{"path": "/stream"}'
    issue = build_request("/auth/tickets", "POST", body=body, headers=bearer(READ))
    for build in ASK.values():
        (issued,) = await served.send(issue)
        uri = f"/stream?a=1&ticket={issued.document['ticket']}"
        replies = await served.send(build("GET", uri), build("GET", uri))
        assert [reply.status for reply in replies] == [200, 401]
        assert replies[0].header("x-user-id") == ["u1"]
        await served.settle(1)
        assert issued.document["ticket"] not in str(served.log.lines)


async def test_limits_count_the_caller_once_for_each_request(served: Served) -> None:
    request = ask_as_nginx("GET", "/counted", token=READ)
    replies = await served.send(request, request, request)
    assert [reply.status for reply in replies] == [200, 200, 429]
    assert [reply.header("ratelimit-policy") for reply in replies] == [['"users";q=2;w=3600']] * 3
    assert replies[2].header("retry-after")
    assert replies[2].document["violated-policies"] == ["users"]


async def test_limits_count_the_client_behind_the_gateway(served: Served) -> None:
    for address in ("203.0.113.1", "203.0.113.2"):
        request = ask_as_caddy("GET", "/open/counted", X_Forwarded_For=address)
        assert await ask(served, request, request, request) == [200, 200, 429]


async def test_concurrent_requests_are_counted_exactly(served: Served) -> None:
    requests = [ask_as_envoy("GET", "/counted", token=f"c{n % 4}-stock_read") for n in range(40)]
    statuses = [status for found in await asyncio.gather(*(ask(served, it) for it in requests))
                for status in found]  # fmt: skip
    assert (statuses.count(200), statuses.count(429)) == (8, 32)


async def test_a_guard_of_a_company_is_called(served: Served) -> None:
    requests = [ask_as_nginx("GET", "/key"), ask_as_nginx("GET", "/key", X_API_Key="secret")]
    assert await ask(served, *requests) == [403, 200]


async def test_the_log_names_the_original_request(served: Served) -> None:
    requests = [
        ask_as_nginx("GET", "/stock/a?secret=1", token=READ),
        ask_as_nginx("POST", "/stock/a", token=READ),
        ask_as_nginx("GET", "/nowhere"),
        ask_as_nginx("GET", "/staff", token=READ),
    ]
    await ask(served, *requests)
    await served.settle(4)
    admitted, refused, undeclared, unverifiable = served.log.completed
    assert admitted["original_method"] == "GET"
    assert admitted["original_path"] == "/stock/a"
    assert admitted["original_route"] == "/stock/{name}"
    assert (admitted["route"], admitted["caller"]) == ("/auth/verify", "u1")
    assert (refused["original_method"], refused["reason"]) == ("POST", "missing_scope")
    assert undeclared["reason"] == "no declared route serves the request"
    assert "only_staff" in unverifiable["reason"]


async def test_identity_is_in_the_response(served: Served) -> None:
    (reply,) = await served.send(ask_as_nginx("GET", "/stock/a", token=READ))
    assert reply.header("x-user-id") == ["u1"]
    assert reply.header("x-user-issuer") == ["https://login.test"]
    assert reply.header("x-user-scopes") == ["stock:read"]
    assert reply.header("x-user-tenant") == ["%C3%A9"]
    assert reply.header("x-user-service") == ["shop%2C%20inc"]
    assert reply.header("authorization") == []
    (reply,) = await served.send(ask_as_nginx("GET", "/silent/a", token=INVENTORY))
    assert not any(name.startswith("x-user-") for name, _ in reply.headers)
    (reply,) = await served.send(ask_as_nginx("GET", "/open", token=READ))
    assert not any(name.startswith("x-user-") for name, _ in reply.headers)


async def test_envoy_removes_the_fields_that_are_not_replaced(served: Served) -> None:
    request = ask_as_envoy("GET", "/open", X_User_Id="admin", X_User_Tenant="other")
    (reply,) = await served.send(request)
    removed = reply.header("x-envoy-auth-headers-to-remove")
    users = "x-user-id,x-user-issuer,x-user-scopes,x-user-tenant,x-user-service"
    assert removed == [f"{users},authorization,cookie,dpop"]
    cases = {
        "/stock/a": "authorization,cookie,dpop",
        "/inventory/a": "cookie,dpop",
        "/shelves/a": "authorization,cookie,dpop",
        "/silent/a": f"{users},authorization,cookie,dpop,x-company-role",
        "/inventory/forward/a": "dpop",
    }
    for path, expected in cases.items():
        request = ask_as_envoy("GET", path, token="u1-stock_read+inventory_read", Cookie="a=1")
        (reply,) = await served.send(request)
        assert reply.header("x-envoy-auth-headers-to-remove") == [expected], path


async def test_a_route_that_forwards_credentials_returns_those_of_the_caller(
    served: Served,
) -> None:
    for asking in ASK.values():
        for path in ("/inventory/forward/a", "/shelves/a"):
            (reply,) = await served.send(asking("GET", path, token=INVENTORY, Cookie="a=1; b=2"))
            forwards = path.startswith("/inventory/forward")
            assert reply.header("authorization") == [f"Bearer {INVENTORY}"] * forwards
            assert reply.header("cookie") == ["a=1; b=2"] * forwards


@pytest.mark.parametrize(
    ("path", "is_removed"), [("/shelves/a", True), ("/silent/a", True), ("/inventory/a", False)]
)
async def test_envoy_removes_the_token_of_the_caller_unless_it_is_replaced(
    path: str, is_removed: bool, served: Served
) -> None:
    (reply,) = await served.send(ask_as_envoy("GET", path, token=INVENTORY))
    assert reply.status == 200
    (removed,) = reply.header("x-envoy-auth-headers-to-remove")
    assert ("authorization" in removed.split(",")) is is_removed


async def test_an_internal_token_is_in_the_response(served: Served) -> None:
    (token,) = await served.send(ask_as_nginx("GET", "/inventory/a", token=INVENTORY))
    (headers,) = await served.send(ask_as_nginx("GET", "/shelves/a", token=INVENTORY))
    (local,) = await served.send(ask_as_nginx("GET", "/stock/a", token=READ))
    (authorization,) = token.header("authorization")
    claims: dict[str, Any] = jwt.get_unverified_claims(authorization.removeprefix("Bearer "))
    assert (claims["aud"], claims["scope"]) == ("inventory", "inventory:read")
    assert token.header("x-user-id") == headers.header("x-user-id") == ["u1"]
    assert headers.header("authorization") == local.header("authorization") == []


async def test_a_preflight_is_no_way_past_the_guards() -> None:
    """Envoy asks with the method and the fields of the preflight itself."""
    origin = {"Origin": "https://app.example.com", "Access_Control_Request_Method": "GET"}
    async with serve_verified(**CORS) as served:
        requests = [build("OPTIONS", "/inventory/a", **origin) for build in ASK.values()]
        replies = await served.send(*requests)
        assert [reply.status for reply in replies] == [401] * len(ASK)
        assert not any(
            name.startswith("access-control-") for it in replies for name, _ in it.headers
        )
        direct = build_request("/stock/a", "OPTIONS", headers={
            "Origin": origin["Origin"], "Access-Control-Request-Method": "GET",
        })  # fmt: skip
        assert await ask(served, direct) == [204]


async def test_a_websocket_handshake_is_verified_as_the_get_that_it_is(served: Served) -> None:
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec_WebSocket_Version": "13"}
    for build in ASK.values():
        for token, expected in ((INVENTORY, 200), ("", 401)):
            request = build("GET", "/inventory/socket", token=token, **upgrade)
            assert await ask(served, request) == [expected]  # the connection ends with it


@pytest.mark.parametrize("is_stripped", [True, False])
async def test_the_prefix_of_the_gateway_is_no_part_of_a_route(is_stripped: bool) -> None:
    async with serve_verified(root_path="/api", root_path_is_stripped=is_stripped) as served:
        for build in ASK.values():
            requests = [build("GET", uri, token=READ) for uri in ("/api/stock/a", "/stock/a")]
            requests.append(build("GET", "/api/api/stock/a", token=READ))
            assert await ask(served, *requests) == [200, 200, 403]
