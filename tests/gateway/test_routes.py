"""Requests to a composite that name another user, another method, or an invalid input."""

from urllib.parse import quote

import pytest

from gateway.testing import lockgate

USER = "42"


@pytest.mark.parametrize("user", ["042", "+42", "4_2", "42.0", " 42"])
async def test_a_user_id_that_reads_as_the_same_number_is_not_the_owner(user: str) -> None:
    async with lockgate() as gateway:
        answer = await gateway.get(
            f"/dashboard/{quote(user)}", user=user, scopes=["dashboard:read"]
        )
        calls = sum(len(service.requests) for service in gateway.services.values())
    assert answer.status_code == 403
    assert calls == 0


async def test_the_any_form_of_the_scope_admits_the_token_of_another_user() -> None:
    async with lockgate() as gateway:
        answer = await gateway.get("/dashboard/43", user=USER, scopes=["dashboard:read:any"])
    assert answer.status_code == 200


@pytest.mark.parametrize("user", ["042", "+42", "4_2", "%D9%A4%D9%A2", "42%20", "42%2F", "4%2F2"])
async def test_a_user_id_that_is_not_canonical_is_not_the_owner(user: str) -> None:
    async with lockgate() as gateway:
        answer = await gateway.get(f"/dashboard/{user}", user=USER, scopes=["dashboard:read"])
    assert answer.status_code == 403


@pytest.mark.parametrize("path", ["/dashboard/abc", "/dashboard/0", "/dashboard/42?limit=51"])
async def test_an_invalid_input_is_a_problem(path: str) -> None:
    async with lockgate() as gateway:
        answer = await gateway.get(path, user=USER, scopes=["dashboard:read:any"])
    assert answer.status_code == 422
    problem = answer.json()
    assert problem["type"] == "urn:lockgate:problem:invalid-request"
    assert problem["errors"][0]["field"] in {"user_id", "limit"}


@pytest.mark.parametrize(("method", "status"), [("POST", 405), ("DELETE", 405)])
async def test_a_method_that_is_not_allowed_is_a_problem(method: str, status: int) -> None:
    async with lockgate() as gateway:
        answer = await gateway.http.request(method, "/dashboard/42")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS"


@pytest.mark.parametrize("path", ["/dashboard/42/", "/docs/", "/healthz/", "/healthz%2F"])
async def test_a_trailing_slash_is_not_redirected_to_the_host_header(path: str) -> None:
    async with lockgate() as gateway:
        answer = await gateway.http.get(path, headers={"Host": "elsewhere.example"})
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert "elsewhere" not in str(answer.headers)
