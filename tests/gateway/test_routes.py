"""Every route without a token, without the scope, and with the token of another user."""

from collections.abc import Iterator
from urllib.parse import quote

import pytest

from gateway.app import create_app
from gateway.auth.route_access import Requires, find_access
from gateway.fastapi_internals import RouteContext, iter_route_contexts
from gateway.settings.schema import Settings
from gateway.testing import lockgate

USER = "42"


def find_guarded_routes() -> Iterator[tuple[RouteContext, Requires]]:
    for route in iter_route_contexts(create_app(Settings()).routes):
        access = find_access(route.dependant)
        if isinstance(access, Requires):
            yield route, access


GUARDED = list(find_guarded_routes())


def get_route_id(value: object) -> str | None:
    return str(value.path) if isinstance(value, RouteContext) else None


def fill_path(route: RouteContext, user: str = USER) -> str:
    return str(route.path).replace("{user_id}", user)


def test_there_are_guarded_routes_to_test() -> None:
    assert len(GUARDED) >= 2


@pytest.mark.parametrize(("route", "access"), GUARDED, ids=get_route_id)
async def test_a_missing_token_is_401(route: RouteContext, access: Requires) -> None:
    async with lockgate() as gateway:
        answer = await gateway.get(fill_path(route))
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="lockgate"'
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(("route", "access"), GUARDED, ids=get_route_id)
async def test_a_missing_scope_is_403(route: RouteContext, access: Requires) -> None:
    async with lockgate() as gateway:
        answer = await gateway.get(fill_path(route), user=USER, scopes=["something:else"])
        calls = sum(len(gateway.service(name).requests) for name in ("users", "orders"))
    assert answer.status_code == 403
    assert answer.json()["required-scopes"] == list(access.scopes)
    assert calls == 0


@pytest.mark.parametrize("user", ["042", "+42", "4_2", "42.0", " 42"])
@pytest.mark.parametrize(("route", "access"), GUARDED, ids=get_route_id)
async def test_a_user_id_that_reads_as_the_same_number_is_not_the_owner(
    route: RouteContext, access: Requires, user: str
) -> None:
    async with lockgate() as gateway:
        answer = await gateway.get(
            fill_path(route, quote(user)), user=user, scopes=list(access.scopes)
        )
        calls = sum(len(gateway.service(name).requests) for name in ("users", "orders"))
    assert answer.status_code == 403
    assert calls == 0


@pytest.mark.parametrize(("route", "access"), GUARDED, ids=get_route_id)
async def test_the_token_of_another_user_is_403(route: RouteContext, access: Requires) -> None:
    assert access.owner
    async with lockgate() as gateway:
        theirs = await gateway.get(fill_path(route, "43"), user=USER, scopes=access.scopes)
        anyone = [scope + ":any" for scope in access.scopes]
        allowed = await gateway.get(fill_path(route, "43"), user=USER, scopes=anyone)
    assert theirs.status_code == 403
    assert allowed.status_code == 200


@pytest.mark.parametrize(("route", "access"), GUARDED, ids=get_route_id)
async def test_the_owner_with_the_scope_is_admitted(route: RouteContext, access: Requires) -> None:
    async with lockgate() as gateway:
        answer = await gateway.get(fill_path(route), user=USER, scopes=access.scopes)
    assert answer.status_code == 200
    assert answer.json()["degraded"] == []
    assert "ratelimit" in answer.headers


@pytest.mark.parametrize("user", ["042", "+42", "4_2", "%D9%A4%D9%A2", "42%20", "42%00", "..%2F42"])
async def test_a_user_id_that_is_not_canonical_is_not_the_owner(user: str) -> None:
    async with lockgate() as gateway:
        answer = await gateway.get(f"/dashboard/{user}", user=USER, scopes=["dashboard:read"])
    assert answer.status_code in {403, 404}


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
    assert answer.headers["allow"] == "GET"


@pytest.mark.parametrize("path", ["/dashboard/42/", "/dashboard/42%2F", "/docs/", "/healthz/"])
async def test_a_trailing_slash_is_not_redirected_to_the_host_header(path: str) -> None:
    async with lockgate() as gateway:
        answer = await gateway.http.get(path, headers={"Host": "elsewhere.example"})
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert "elsewhere" not in str(answer.headers)
