"""The outermost layer: an id, gathered headers, one log line, and a 500 that leaks nothing."""

import logging
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI, Request
from starlette.responses import StreamingResponse

from gateway.middleware.access_log import AccessLog
from gateway.request_context import RequestContext
from gateway.upstream.propagation import propagated_headers


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    app.add_middleware(AccessLog)

    @app.get("/fine")
    async def fine(request: Request) -> dict[str, str]:
        exchange = RequestContext.of(request.scope)
        exchange.response_headers.append((b"ratelimit", b'"x";r=1;t=1'))
        exchange.server_timing += [("profile", 0.0123), ("orders", 0.2)]
        exchange.log_fields["caller"] = "42"
        return dict(propagated_headers())

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("the password is hunter2")

    @app.get("/left")
    async def left(request: Request) -> None:
        RequestContext.of(request.scope).log_fields["status"] = 499

    @app.get("/half")
    async def half() -> StreamingResponse:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"half"
            raise RuntimeError("the other half")

        return StreamingResponse(chunks())

    wire = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=wire, base_url="http://x") as client:
        yield client


def facts(caplog: pytest.LogCaptureFixture) -> dict[str, object]:
    (record,) = [record for record in caplog.records if record.message == "request.completed"]
    found: dict[str, object] = record.fields  # type: ignore[attr-defined]
    return found


async def test_a_request_gets_an_id_that_its_calls_carry_on(http: httpx.AsyncClient) -> None:
    answer = await http.get("/fine")
    request_id = answer.headers["x-request-id"]
    assert len(request_id) == 32
    assert answer.json()["x-request-id"] == request_id


async def test_a_plain_id_of_the_callers_is_kept(http: httpx.AsyncClient) -> None:
    answer = await http.get("/fine", headers={"X-Request-Id": "trace-1234.abc"})
    assert answer.headers["x-request-id"] == "trace-1234.abc"


@pytest.mark.parametrize("given", ["short", "x" * 65, 'with "quotes"!!', "tab\there12", ""])
async def test_any_other_id_is_replaced(http: httpx.AsyncClient, given: str) -> None:
    answer = await http.get("/fine", headers={"X-Request-Id": given})
    assert len(answer.headers["x-request-id"]) == 32


async def test_headers_that_gathered_on_the_way_leave_with_the_answer(
    http: httpx.AsyncClient,
) -> None:
    answer = await http.get("/fine")
    assert answer.headers["ratelimit"] == '"x";r=1;t=1'
    assert answer.headers["server-timing"] == "profile;dur=12.3, orders;dur=200.0"


async def test_a_request_leaves_one_log_line(
    http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "lockgate.access")
    answer = await http.get("/fine?secret=1", headers={"Authorization": "Bearer abc"})
    line = facts(caplog)
    assert line.pop("ms") is not None
    assert line == {
        "id": answer.headers["x-request-id"],
        "method": "GET",
        "path": "/fine",
        "status": 200,
        "bytes": len(answer.content),
        "caller": "42",
    }


async def test_a_long_path_is_cut_in_the_log(
    http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await http.get("/" + "a" * 50_000)
    assert facts(caplog)["path"] == "/" + "a" * 255


async def test_an_unforeseen_failure_says_nothing_but_the_request_id(
    http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await http.get("/broken")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["instance"] == answer.headers["x-request-id"]
    assert "hunter2" not in answer.text
    assert "hunter2" in caplog.text  # the log has the trace


async def test_a_client_that_left_in_mid_answer_is_logged_as_gone(
    http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "lockgate.access")
    await http.get("/left")
    assert facts(caplog)["status"] == 499


async def test_a_failure_in_mid_answer_breaks_the_connection(http: httpx.AsyncClient) -> None:
    with pytest.raises(RuntimeError, match="the other half"):
        await http.get("/half")
