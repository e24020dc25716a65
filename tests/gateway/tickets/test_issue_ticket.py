"""POST /auth/tickets, on a socket."""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.proxy import Proxy
from gateway.settings.schema import Server, Service, Settings
from gateway.tickets.issue_ticket import AUTH_TICKETS
from tests.gateway.errors.served import Served, build_request, serve
from tests.gateway.tickets.stream_app import (
    bearer,
    build_ticket_request,
    issue,
    redeem,
    serve_streams,
)


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with serve_streams() as served:
        yield served


async def test_a_ticket_is_issued_for_a_path(served: Served) -> None:
    (reply,) = await served.send(build_ticket_request("/stream/prices"))
    assert reply.status == 200
    assert set(reply.document) == {"ticket", "expires_in"}
    assert reply.document["expires_in"] == 30
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", reply.document["ticket"])
    assert reply.header("cache-control") == ["no-store"]
    assert reply.header("ratelimit-policy") == ['"auth_tickets";q=60;w=60']
    await served.settle(1)
    text = reply.document["ticket"]
    logged = str(served.log.lines)
    assert text not in logged
    assert hashlib.sha256(text.encode()).hexdigest() not in logged


async def test_two_tickets_differ(served: Served) -> None:
    assert await issue(served, "/stream/prices") != await issue(served, "/stream/prices")


@pytest.mark.parametrize("token", [None, "bad", "later"])
async def test_a_caller_needs_a_valid_token(served: Served, token: str | None) -> None:
    (reply,) = await served.send(build_ticket_request("/stream/prices", token))
    assert reply.status == (503 if token == "later" else 401)


RULES = [
    ("/stream/prices", "u1-orders_read", 403),
    ("/stream/prices", "u1-prices_read_any", 200),
    ("/users/42", "42-prices_read", 200),
    ("/users/43", "42-prices_read", 403),
    ("/users/042", "42-prices_read", 403),
    ("/users/43", "42-prices_read_any", 200),
    ("/general/a%2Fb/c%20d", "u1-prices_read", 200),
    ("/open", "u1-none", 200),
    ("/plain", "u1-prices_read", 404),
    ("/notes", "u1-prices_read", 404),
    ("/nowhere", "u1-prices_read", 404),
    ("/auth/tickets", "u1-prices_read", 404),
    ("/", "u1-prices_read", 404),
]


async def test_the_caller_must_pass_the_rules_of_a_route_that_accepts_tickets(
    served: Served,
) -> None:
    requests = [build_ticket_request(path, token) for path, token, _ in RULES]
    replies = await served.send(*requests)
    found = [(*rule[:2], reply.status) for rule, reply in zip(RULES, replies, strict=True)]
    assert found == RULES


INVALID_PATHS: list[object] = [
        "", "stream/prices", "http://x/stream/prices", "/stream/prices?x=1", "/stream/prices#x",
        "/stream//prices", "/stream/../prices", "/stream/%2e%2e/prices", "/stream/%70rices",
        "/stream/%zz", "/stream/%00", "/stream/pr ices", "/stream/pr\u00e9", "/stream\\prices",
        "/stream/\n", "/" + "x" * 2_048, None, 7, ["/stream/prices"],
    ]  # fmt: skip


async def test_a_path_that_no_request_has_is_refused(served: Served) -> None:
    for path in INVALID_PATHS:
        (reply,) = await served.send(build_ticket_request(path))
        assert reply.status == 422, path
        (error,) = reply.document["errors"]
        assert (error["in"], error["field"]) == ("body", "path")
        assert "Value error" not in reply.document["detail"] + error["message"], path


PROXIED_PATHS = [
    ("/proxied/a", 200),
    ("/proxied/a%20b", 200),
    ("/proxied/%2F", 422),
    ("/proxied/a;b", 422),
    ("/proxied/a%3Bb", 422),
    ("/proxied/a%5Cb", 422),
    ("/accepting/a%2Fb;c", 200),
    ("/middle/", 422),
    ("/middle/a", 200),
]


async def test_no_ticket_is_issued_for_a_path_that_a_proxied_route_refuses() -> None:
    def declare(path: str, **options: Any) -> Proxy:
        return Proxy(path, to="s", requires=(), identity="none", tickets=True, **options)

    proxies = [
        declare("/proxied/{path:path}"),
        declare("/accepting/{path:path}", encoded_slashes=True, path_parameters=True),
        declare("/middle/{path:path}", target="/x/{path}/y"),
    ]
    settings = Settings(upstreams={"s": Service(url="http://s.test")})
    async with serve_streams(settings, proxies) as served:
        replies = await served.send(*[build_ticket_request(path) for path, _ in PROXIED_PATHS])
        found = [(path, r.status) for (path, _), r in zip(PROXIED_PATHS, replies, strict=True)]
        assert found == PROXIED_PATHS
        (error,) = replies[2].document["errors"]
        assert (error["in"], error["field"]) == ("body", "path")
        assert "has an escaped slash" in error["message"]


async def test_an_unknown_member_is_refused(served: Served) -> None:
    body = b'{"path": "/stream/prices", "seconds": 900}'
    headers = bearer("u1-prices_read")
    (reply,) = await served.send(build_request("/auth/tickets", "POST", body=body, headers=headers))
    assert reply.status == 422


async def test_a_ticket_lives_no_longer_than_the_token(served: Served) -> None:
    (reply,) = await served.send(build_ticket_request("/stream/prices", "short-prices_read"))
    assert reply.document["expires_in"] == 5
    (reply,) = await served.send(build_ticket_request("/stream/prices", "late-prices_read"))
    assert reply.status == 401


async def test_the_tickets_of_one_caller_are_bounded(served: Served) -> None:
    request = build_ticket_request("/stream/prices")
    replies = await served.send(*[request] * (AUTH_TICKETS.rates[0].quota + 1))
    assert [reply.status for reply in replies] == [200] * AUTH_TICKETS.rates[0].quota + [429]
    (reply,) = await served.send(build_ticket_request("/stream/prices", "u2-prices_read"))
    assert reply.status == 200


async def test_no_ticket_counts_for_the_limits_of_its_route(served: Served) -> None:
    tickets = [await issue(served, "/counted") for _ in range(3)]
    replies = [await redeem(served, f"/counted?ticket={ticket}") for ticket in tickets]
    assert [reply.status for reply in replies] == [200, 429, 429]


async def test_there_is_no_such_route_without_a_route_that_accepts_tickets() -> None:
    async with serve() as served:
        (reply,) = await served.send(build_ticket_request("/stream/prices"))
        assert reply.status == 404


async def test_a_ticket_is_for_a_path_with_or_without_the_prefix() -> None:
    settings = Settings(server=Server(root_path="/api"))
    async with serve_streams(settings) as served:
        for path in ("/api/stream/prices", "/stream/prices"):
            for prefix in ("/api", ""):
                ticket = await issue(served, path)
                reply = await redeem(served, f"{prefix}/stream/prices?ticket={ticket}")
                assert reply.status == 200


async def test_many_at_once(served: Served) -> None:
    tickets = await asyncio.gather(*(issue(served, "/stream/prices") for _ in range(20)))
    assert len(set(tickets)) == 20
    targets = [f"/stream/prices?ticket={ticket}" for ticket in tickets for _ in range(3)]
    replies = await asyncio.gather(*(redeem(served, target) for target in targets))
    assert sorted(reply.status for reply in replies) == [200] * 20 + [401] * 40
