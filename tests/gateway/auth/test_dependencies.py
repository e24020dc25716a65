"""Who passes `requires`, `owner` and `public`, how others are refused, and what is logged."""

from collections.abc import AsyncIterator, Callable
from typing import Annotated

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI
from starlette.types import Receive, Scope, Send

from gateway.auth import Caller, owner, public, requires
from gateway.auth.dependencies import Public
from gateway.auth.principal import Principal
from gateway.auth.route_access import Requires, find_access
from gateway.auth.verifier import TokenVerifier
from gateway.errors import problem_json
from gateway.errors.tree import IdentityUnavailable, Unauthenticated
from gateway.request_context import RequestContext
from gateway.resources import Resources
from tests.gateway.auth.conftest import bearer, client_of, guarded_app


class Known(TokenVerifier):
    """Takes "user-scope,scope" for the token of that user with those scopes."""

    def __init__(self) -> None:
        self.asked = 0

    async def verify(self, token: str) -> Principal:
        """Read the token at its word."""
        self.asked += 1
        if token == "bad":
            raise Unauthenticated("bad_signature")
        if token == "later":
            raise IdentityUnavailable(7)
        user, _, scopes = token.partition("-")
        names = frozenset(scopes.replace("_", ":").split("+"))
        return Principal("iss", user or "\u2028nobody", names, user or None, None, None, 4e9)

    def health(self) -> dict[str, str]:
        """No issuer."""
        return {}


class Recorded:
    """An app in front of another that keeps the log fields of the last request."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app
        self.log_fields: dict[str, str | int | float] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and remember what was learnt."""
        self.log_fields = RequestContext.of(scope).log_fields
        await self.app(scope, receive, send)


@pytest.fixture
def known() -> Known:
    return Known()


@pytest.fixture
def recorded(known: Known) -> Recorded:
    return Recorded(guarded_app(known))


@pytest.fixture
async def client(recorded: Recorded) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(recorded) as client:
        yield client


READ, ANY, OTHER = "u1-dashboard_read", "u1-dashboard_read_any", "u1-orders_read"
OWNERLESS = "-dashboard_read"


@pytest.mark.parametrize(
    ("token", "path", "outcome"),
    [
        (READ, "/me", (200, None)),
        (ANY, "/me", (200, None)),
        (OTHER, "/me", (403, "missing_scope")),
        ("u1-dashboard", "/me", (403, "missing_scope")),
        ("u1-dashboard_read_anyone", "/me", (403, "missing_scope")),
        ("u1-DASHBOARD_READ", "/me", (403, "missing_scope")),
        ("u1-", "/me", (403, "missing_scope")),
        (READ, "/users/u1", (200, None)),
        (READ, "/users/%751", (200, None)),
        (READ, "/users/u2", (403, "not_the_owner")),
        (READ, "/users/U1", (403, "not_the_owner")),
        (READ, "/users/u1%20", (403, "not_the_owner")),
        (READ, "/users/u1%00", (403, "not_the_owner")),
        (READ, "/users/%EF%BD%951", (403, "not_the_owner")),
        ("7-dashboard_read", "/users/07", (403, "not_the_owner")),
        (OWNERLESS, "/users/None", (403, "not_the_owner")),
        (ANY, "/users/u2", (200, None)),
        ("u1-dashboard_read+orders_read_any", "/users/u2", (403, "not_the_owner")),
        (OTHER, "/users/u1", (403, "missing_scope")),
        ("bad", "/users/u1", (401, "bad_signature")),
    ],
)
async def test_who_is_admitted(
    client: httpx.AsyncClient,
    recorded: Recorded,
    token: str,
    path: str,
    outcome: tuple[int, str | None],
) -> None:
    answer = await client.get(path, headers=bearer(token))
    assert (answer.status_code, recorded.log_fields.get("reason")) == outcome


async def test_the_challenge_names_the_scope_that_is_missing(client: httpx.AsyncClient) -> None:
    answer = await client.get("/me", headers=bearer(OTHER))
    challenge = 'Bearer realm="lockgate", error="insufficient_scope", scope="dashboard:read"'
    assert answer.headers["www-authenticate"] == challenge
    assert answer.json()["required-scopes"] == ["dashboard:read"]
    answer = await client.get("/users/u2", headers=bearer(READ))
    assert answer.json()["required-scopes"] == ["dashboard:read:any"]


@pytest.mark.parametrize(
    ("headers", "sent"),
    [
        ([], False),
        (["Basic dTE6cHc="], False),
        (["Digest x"], False),
        (["Bearer"], True),
        (["Bearer "], True),
        (["Bearer =" + READ], True),
        ([f"Bearer {READ} x"], True),
        ([f"Bearer {READ}, Bearer {READ}"], True),
        ([f"Bearer\t{READ}"], False),
        ([f"Bearer{READ}"], False),
        ([f"Bearer {READ}", f"Bearer {READ}"], True),
        ([f"Bearer {READ}", "Basic dTE6cHc="], True),
    ],
    ids=str,
)
async def test_requests_without_one_bearer_token(
    client: httpx.AsyncClient, known: Known, headers: list[str], sent: bool
) -> None:
    answer = await client.get("/me", headers=[("Authorization", value) for value in headers])
    assert answer.status_code == 401
    error = ', error="invalid_token"' if sent else ""
    assert answer.headers["www-authenticate"] == f'Bearer realm="lockgate"{error}'
    assert known.asked == 0


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR", "Bearer  "])
async def test_the_scheme_is_read_without_case(client: httpx.AsyncClient, scheme: str) -> None:
    answer = await client.get("/me", headers={"Authorization": f"{scheme} {READ}"})
    assert answer.status_code == 200


async def test_a_token_in_the_query_is_ignored(client: httpx.AsyncClient) -> None:
    assert (await client.get("/me", params={"access_token": READ})).status_code == 401


async def test_an_unreachable_identity_provider_is_503_not_401(client: httpx.AsyncClient) -> None:
    answer = await client.get("/me", headers=bearer("later"))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")


async def test_a_token_is_verified_once_per_request(
    client: httpx.AsyncClient, known: Known
) -> None:
    assert (await client.get("/users/u1", headers=bearer(READ))).status_code == 200
    assert known.asked == 1


async def test_the_caller_and_nothing_else_is_logged(
    client: httpx.AsyncClient, recorded: Recorded
) -> None:
    await client.get("/me", headers=bearer(READ))
    assert recorded.log_fields == {"caller": "u1"}
    await client.get("/me", headers=bearer(OWNERLESS))
    assert recorded.log_fields == {"caller": "nobody"}
    await client.get("/me", headers=bearer("x" * 300 + "-dashboard_read"))
    assert recorded.log_fields == {"caller": "x" * 64}
    await client.get("/me", headers=bearer("bad"))
    assert recorded.log_fields == {"reason": "bad_signature", "error": "Unauthenticated"}


async def test_a_public_route_admits_every_caller(known: Known) -> None:
    app = FastAPI(dependencies=[public("a test")])
    app.add_api_route("/", lambda: "hello")
    async with client_of(app) as client:
        assert (await client.get("/", headers=bearer("bad"))).json() == "hello"
    assert known.asked == 0


@pytest.mark.parametrize("scopes", [("b",), ("a", "b"), ("b", "a")])
async def test_scopes_of_router_and_route_add_up(known: Known, scopes: tuple[str, ...]) -> None:
    router = APIRouter(dependencies=[requires("a")])
    guards = [requires(*scopes), owner("user_id")]
    router.add_api_route("/{user_id}", lambda user_id: user_id, dependencies=guards)
    app = FastAPI()
    problem_json.install_error_handlers(app)
    app.include_router(router)
    app.state.resources = Resources()
    app.state.resources[TokenVerifier] = known
    async with client_of(app) as client:
        expected = {"u1-b": 403, "u1-a": 403, "u1-a+b": 200, "u2-a+b": 403, "u2-a_any+b": 200}
        for token, status in expected.items():
            assert (await client.get("/u1", headers=bearer(token))).status_code == status


async def test_openapi_says_bearer_and_which_scopes(known: Known) -> None:
    document = guarded_app(known).openapi()
    scheme = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    assert document["components"]["securitySchemes"] == {"bearer": scheme}
    for path in ("/me", "/users/{user_id}"):
        assert document["paths"][path]["get"]["security"] == [{"bearer": ["dashboard:read"]}]


async def _needs_b(_: Annotated[Principal, requires("b")]) -> None:
    """A dependency that brings its own guard."""


async def _calls(caller: Caller) -> str:
    return caller.subject


ACCESS: dict[str, tuple[list[object], Requires | Public | None]] = {
    "nothing": ([], None),
    "another dependency": ([Depends(lambda: None)], None),
    "no scope": ([requires()], Requires(())),
    "scopes": ([requires("a", "b")], Requires(("a", "b"))),
    "scopes twice": ([requires("a"), requires("a", "c")], Requires(("a", "c"))),
    "scopes within": ([requires("a"), Depends(_needs_b)], Requires(("a", "b"))),
    "an owner": ([requires("a"), owner("user_id")], Requires(("a",), "user_id")),
    "an owner without scope": ([owner("user_id")], Requires((), "user_id")),
    "public": ([public("why")], Public("why")),
    "public twice": ([public("why"), public("not")], Public("why")),
}


def _dependant(guards: list[object], endpoint: Callable[..., object]) -> Requires | Public | None:
    router = APIRouter()
    router.add_api_route("/{user_id}", endpoint, dependencies=guards)  # type: ignore[arg-type]
    return find_access(router.routes[0].dependant)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ACCESS)
def test_access_is_read_from_a_route(name: str) -> None:
    guards, access = ACCESS[name]
    assert _dependant(guards, lambda: None) == access


def test_caller_alone_is_no_access_declaration() -> None:
    assert _dependant([], _calls) is None


@pytest.mark.parametrize(
    ("guards", "message"),
    [
        ([public("why"), requires("a")], "public"),
        ([public("why"), owner("user_id")], "public"),
        ([owner("user_id"), requires("a")], "after"),
        ([requires("a"), owner("id")], "no parameter"),
        ([requires("a"), owner("user_id"), owner("user_id")], "more than one"),
    ],
)
def test_contradictory_declarations_are_a_value_error(guards: list[object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _dependant(guards, lambda: None)


@pytest.mark.parametrize("scope", ["", "a b", 'a"', "a\\", "é", "a\n"])
def test_an_invalid_scope_is_a_value_error(scope: str) -> None:
    with pytest.raises(ValueError, match="scope"):
        requires(scope)


@pytest.mark.parametrize("why", ["", "  "])
def test_public_needs_a_reason(why: str) -> None:
    with pytest.raises(ValueError, match="why"):
        public(why)


async def test_a_path_parameter_with_a_convertor_has_no_owner(known: Known) -> None:
    app = FastAPI()
    problem_json.install_error_handlers(app)
    app.state.resources = Resources()
    app.state.resources[TokenVerifier] = known
    guards = [requires("a"), owner("user_id")]
    app.add_api_route("/{user_id:int}", lambda user_id: user_id, dependencies=guards)
    async with client_of(app) as client:
        assert (await client.get("/7", headers=bearer("7-a"))).status_code == 403
