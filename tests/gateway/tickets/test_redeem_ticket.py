"""The redemption of tickets, on a socket."""

from collections.abc import AsyncIterator
from types import SimpleNamespace

import pytest

from gateway.proxy import Proxy
from gateway.settings.schema import Service, Settings
from gateway.tickets import redeem_ticket
from tests.e2e.recording_service import record_requests
from tests.gateway.errors.served import Served, build_request
from tests.gateway.tickets.stream_app import bearer, issue, redeem, serve_streams

WRONG = "A" * 43


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with serve_streams() as served:
        yield served


@pytest.mark.parametrize("path", ["/stream/prices", "/general/a%20b/c%2Fd", "/users/42"])
async def test_a_ticket_stands_for_the_token_once(served: Served, path: str) -> None:
    ticket = await issue(served, path, "42-prices_read")
    reply = await redeem(served, f"{path}?ticket={ticket}")
    assert (reply.status, reply.document["caller"]) == (200, "42")
    assert reply.header("cache-control") == ["no-store"]
    used = await redeem(served, f"{path}?ticket={ticket}")
    assert used.status == 401
    assert "invalid_token" in used.header("www-authenticate")[0]
    await served.settle(3)
    _, admitted, refused = served.log.completed
    assert (admitted["caller"], admitted["issuer"]) == ("42", "iss")
    assert refused["reason"] == "ticket_unknown"
    assert ticket not in str(served.log.lines)


@pytest.mark.parametrize("path", ["/stream/prices", "/general/x"])
@pytest.mark.parametrize(
    ("query", "left"),
    [
        ("ticket={}", ""),
        ("a=1&ticket={}&b=%2B+x", "a=1&b=%2B+x"),
        ("%74icket={}&ticket2=3", "ticket2=3"),
        ("&&ticket={}&", "&&"),
    ],
)
async def test_the_endpoint_never_sees_the_ticket(
    served: Served, path: str, query: str, left: str
) -> None:
    ticket = await issue(served, path)
    reply = await redeem(served, f"{path}?{query.format(ticket)}")
    assert reply.document["query"] == left
    assert ticket not in str(reply.document)
    assert "ticket" not in reply.document["parameters"]


async def test_the_service_of_a_proxied_route_never_sees_the_ticket() -> None:
    proxy = Proxy(
        "/proxied/{path:path}",
        to="prices",
        requires="prices:read",
        identity="headers",
        tickets=True,
    )
    async with record_requests() as service:
        upstreams = {"prices": Service(url=f"http://127.0.0.1:{service.port}")}
        async with serve_streams(Settings(upstreams=upstreams), [proxy]) as served:
            ticket = await issue(served, "/proxied/a%20b", "42-prices_read")
            target = f"/proxied/a%20b?x=1&ticket={ticket}&y"
            assert (await redeem(served, target)).status == 200
            assert (await redeem(served, target)).status == 401
    (received,) = service.received
    assert received.target == "/a%20b?x=1&y"
    assert received.get("x-user-id") == ["42"]
    assert ticket not in str(received)


async def test_a_token_works_as_before(served: Served) -> None:
    reply = await redeem(served, "/stream/prices?a=1", headers=bearer("u9-prices_read"))
    assert (reply.status, reply.document["query"]) == (200, "a=1")
    reply = await redeem(served, "/stream/prices")
    assert reply.status == 401


@pytest.mark.parametrize(
    ("target", "issued_for"),
    [
        ("/general/b", "/general/a"),
        ("/general/a/", "/general/a"),
        ("/general/A", "/general/a"),
        ("/general/a%2Fb", "/general/a/b"),
        ("/users/43", "/users/42"),
        ("/stream/prices", "/general/a"),
    ],
)
async def test_a_ticket_is_for_one_path(served: Served, target: str, issued_for: str) -> None:
    ticket = await issue(served, issued_for, "42-prices_read")
    assert (await redeem(served, f"{target}?ticket={ticket}")).status == 401
    await served.settle(2)
    assert served.log.completed[-1]["reason"] == "ticket_path"
    assert (await redeem(served, f"{issued_for}?ticket={ticket}")).status == 401  # used up


async def test_a_ticket_does_not_outlive_its_token_if_the_clock_is_set_forward(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = "/stream/prices"
    ticket, later = [await issue(served, path) for _ in range(2)]
    assert (await redeem(served, f"{path}?ticket={ticket}")).status == 200
    clock = SimpleNamespace(time=lambda: 4e9)
    monkeypatch.setattr(redeem_ticket, "time", clock)
    assert (await redeem(served, f"{path}?ticket={later}")).status == 401
    await served.settle(4)
    assert served.log.completed[-1]["reason"] == "ticket_expired"


async def test_every_refused_ticket_gets_the_same_words(served: Served) -> None:
    used, elsewhere, posted = [await issue(served, "/stream/prices") for _ in range(3)]
    await redeem(served, f"/stream/prices?ticket={used}")
    replies = [
        await redeem(served, f"/stream/prices?ticket={used}"),
        await redeem(served, f"/general/a?ticket={elsewhere}"),
        await redeem(served, f"/stream/prices?ticket={WRONG}"),
        await redeem(served, "/stream/prices?ticket=x"),
        *await served.send(build_request(f"/notes?ticket={posted}", "POST", body=b"{}")),
    ]
    assert [reply.status for reply in replies] == [401] * 5
    (detail,) = {reply.document["detail"] for reply in replies}
    assert detail.startswith("The ticket is unknown, used, expired or for another request.")
    assert detail.endswith("Get a new one with POST /auth/tickets.")


async def test_a_wrong_ticket_is_refused(served: Served) -> None:
    malformed = ["", "x", "A" * 44, "%41" * 43, "A" * 42 + "=", "Bearer"]
    for ticket in (WRONG, *malformed):
        reply = await redeem(served, f"/stream/prices?ticket={ticket}")
        assert reply.status == 401, ticket
    await served.settle(1 + len(malformed))
    reasons = [line["reason"] for line in served.log.completed]
    assert reasons == ["ticket_unknown", *["ticket_malformed"] * len(malformed)]


async def test_a_ticket_with_a_token_is_refused_and_kept(served: Served) -> None:
    ticket = await issue(served, "/stream/prices")
    target = f"/stream/prices?ticket={ticket}"
    reply = await redeem(served, target, headers=bearer("u1-prices_read"))
    assert reply.status == 400
    assert (await redeem(served, f"{target}&ticket={ticket}")).status == 400
    assert (await redeem(served, target)).status == 200


async def test_a_ticket_is_for_get_alone(served: Served) -> None:
    ticket = await issue(served, "/stream/prices")
    request = build_request(f"/notes?ticket={ticket}", "POST", body=b'{"text": "hello"}')
    (reply,) = await served.send(request)
    assert reply.status == 401
    await served.settle(2)
    assert served.log.completed[-1]["reason"] == "ticket_method"
    assert ticket not in str(served.log.lines)


async def test_a_ticket_gives_no_other_right_than_its_token(served: Served) -> None:
    ticket = await issue(served, "/open", "u1-orders_read")
    assert (await redeem(served, f"/open?ticket={ticket}")).status == 200
    request = build_request(f"/auth/tickets?ticket={WRONG}", "POST", body=b'{"path": "/open"}')
    (reply,) = await served.send(request)
    assert reply.status == 401


async def test_a_route_that_accepts_no_tickets_ignores_them(served: Served) -> None:
    reply = await redeem(served, f"/plain?ticket={WRONG}", headers=bearer("u1-prices_read"))
    assert reply.status == 200


async def test_openapi_documents_both_ways(served: Served) -> None:
    (reply,) = await served.send(build_request("/openapi.json"))
    document = reply.document
    schemes = document["components"]["securitySchemes"]
    assert schemes["ticket"] == {"type": "apiKey", "in": "query", "name": "ticket"}
    security = document["paths"]["/stream/prices"]["get"]["security"]
    assert {name for item in security for name in item} == {"bearer", "ticket"}
    assert all(len(item) == 1 for item in security)  # one of them is enough
    assert "/auth/tickets" in document["paths"]
    assert "503" in document["paths"]["/auth/tickets"]["post"]["responses"]
    assert "/auth/verify" not in str(document["paths"].keys())
