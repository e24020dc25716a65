"""A request id, the headers gathered on the way, and a 500 that leaks nothing."""

import httpx
import pytest


async def test_the_request_id_is_propagated_to_upstream_calls(http: httpx.AsyncClient) -> None:
    response = await http.get("/fine")
    request_id = response.headers["x-request-id"]
    assert len(request_id) == 32
    assert response.json()["x-request-id"] == request_id


async def test_a_safe_id_of_the_client_is_kept(http: httpx.AsyncClient) -> None:
    response = await http.get("/fine", headers={"X-Request-Id": "trace-1234.abc"})
    assert response.headers["x-request-id"] == "trace-1234.abc"


@pytest.mark.parametrize("given", ["short", "x" * 65, 'with "quotes"!!', "tab\there12", ""])
async def test_any_other_id_is_replaced(http: httpx.AsyncClient, given: str) -> None:
    response = await http.get("/fine", headers={"X-Request-Id": given})
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
