"""A request id, the headers gathered on the way, and a 500 that leaks nothing."""

import asyncio

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from gateway.middleware.request_context import RequestContextMiddleware
from gateway.request_context import RequestContext


async def test_the_request_id_is_propagated_to_upstream_calls(http: httpx.AsyncClient) -> None:
    response = await http.get("/fine")
    request_id = response.headers["x-request-id"]
    assert len(request_id) == 32
    assert response.json()["x-request-id"] == request_id


@pytest.mark.parametrize(
    "given",
    [
        "trace-1234.abc",
        "7",
        "x" * 128,
        "1-5759e988-bd862e3fe1be46a994272793",
        "Root=1-5759e988-bd862e3fe1be46a994272793",
        "Self=1-67891234-12456789abcdef012345678;Root=1-67891233-abcdef012345678912345678",
        "d4cdb3a8-6b1e-4b5c-9d5e-2c8f0f6f1a77",
        "01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "sjgxAo-1K9Z_3leC_noAbpH5tb2f86FFyrGaAzp---jD7Wm2dXaJPg==",
        "urn:uuid:6e8bc430+1/2~3@host",
    ],
)
async def test_a_safe_id_of_the_client_is_kept(http: httpx.AsyncClient, given: str) -> None:
    response = await http.get("/fine", headers={"X-Request-Id": given})
    assert response.headers["x-request-id"] == response.json()["x-request-id"] == given


UNSAFE = ["x" * 129, "", "two words", 'with "quotes"!!', "tab\there12", "a\\b", "a,b", "%0a"]
UNSAFE += ["<script>", "{$jndi}", "caf\xe9", "\x1b[31m", "a\x7f"]


@pytest.mark.parametrize("given", UNSAFE)
async def test_any_other_id_is_replaced(http: httpx.AsyncClient, given: str) -> None:
    response = await http.get("/fine", headers={b"X-Request-Id": given.encode("latin-1")})
    assert len(response.headers["x-request-id"]) == 32


async def test_gathered_headers_are_added_to_the_response(http: httpx.AsyncClient) -> None:
    response = await http.get("/fine")
    assert response.headers["ratelimit"] == '"x";r=1;t=1'
    assert response.headers["server-timing"] == "profile;dur=12.3, orders;dur=200.0"


async def test_an_unexpected_exception_reveals_nothing_but_the_request_id(
    http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    response = await http.get("/broken")
    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["instance"] == response.headers["x-request-id"]
    assert "hunter2" not in response.text
    assert "hunter2" in caplog.text  # the log has the traceback


async def test_an_exception_in_the_middle_of_a_response_breaks_the_connection(
    http: httpx.AsyncClient,
) -> None:
    with pytest.raises(RuntimeError, match="the other half"):
        await http.get("/half")


async def fail(error: BaseException | None) -> None:
    """Raise an error, or return."""
    if error is not None:
        raise error


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize(
    "error", [None, RuntimeError("a bug"), asyncio.CancelledError(), OSError("gone")], ids=repr
)
async def test_the_end_of_a_request_is_reported_once_however_it_ends(
    kind: str, error: BaseException | None
) -> None:
    ends: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        RequestContext.of(scope).call_at_end(lambda: ends.append("first"))
        RequestContext.of(scope).call_at_end(lambda: ends.append("second"))
        assert ends == []
        await fail(error)

    async def receive() -> Message:
        return {"type": f"{kind}.disconnect"}

    async def send(message: Message) -> None:
        assert ends == []  # the response to a failure belongs to the request

    scope = {"type": kind, "method": "GET", "path": "/", "headers": [], "extensions": {}}
    await RequestContextMiddleware(app)(scope, receive, send)
    assert ends == ["first", "second"]
