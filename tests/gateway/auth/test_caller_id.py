"""`CallerId`: the user id of the caller as an input of a route and of a part."""

from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from pydantic import Field
from starlette.types import Receive, Scope, Send

from gateway.aggregation import Composed, Composite, Part
from gateway.auth import Caller, CallerId, public, requires
from gateway.auth.caller_id import CallerIdLookup
from gateway.auth.principal import Principal
from gateway.auth.verifier import TokenVerifier
from gateway.errors.handlers import install_error_handlers
from gateway.resources import Resources
from gateway.route_audit import UnguardedRoute, refuse_unguarded
from gateway.routing.dispatcher import Dispatcher, RouteTable
from tests.gateway.auth.conftest import bearer, client_of
from tests.gateway.auth.fake_verifier import FakeVerifier, LogFieldsRecorder
from tests.gateway.routing.comparison import trust

Sent = tuple[httpx.AsyncClient, LogFieldsRecorder]


class OptionalUsers(FakeVerifier):
    """Accepts "service" as the token of a service; all other tokens name their user."""

    async def verify(self, token: str) -> Principal:
        if token == "service":
            scopes = frozenset(["me:read"])
            return Principal("iss", "batch", scopes, None, "batch", None, 4e9)
        return await super().verify(token)


async def fetch_number(user_id: CallerId[int]) -> int:
    return user_id


async def fetch_double(user_id: CallerId[int]) -> int:
    return 2 * user_id


class Me(Composite):
    number: Annotated[int, Part(fetch_number)]
    double: Annotated[int, Part(fetch_double)]


router = APIRouter(dependencies=[requires("me:read")])


@router.get("/me")
async def get_me(view: Composed[Me]) -> Me:
    return view


@router.get("/text")
async def get_text(user_id: CallerId[str]) -> str:
    return user_id


@router.get("/positive")
async def get_positive(user_id: CallerId[Annotated[int, Field(ge=1)]]) -> int:
    return user_id


@router.get("/uuid")
async def get_uuid(user_id: CallerId[UUID]) -> UUID:
    return user_id


@pytest.fixture(params=["compiled", "general"])
async def sent(request: pytest.FixtureRequest) -> AsyncIterator[Sent]:
    """A client of the app on its compiled and on its general path, and the log fields."""
    app = FastAPI()
    install_error_handlers(app)
    app.state.resources = Resources()
    app.state.resources[TokenVerifier] = OptionalUsers()
    app.include_router(router)
    table = RouteTable(app.router if request.param == "compiled" else APIRouter(), is_guarded=trust)
    dispatcher = Dispatcher(app.build_middleware_stack(), gateway=app, routes=table, audit=trust)

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = app
        await dispatcher(scope, receive, send)

    if request.param == "compiled":
        assert [entry.compiled is not None for entry in table.entries].count(True) == 4
    recorder = LogFieldsRecorder(serve)  # type: ignore[arg-type]
    async with client_of(recorder) as client:
        yield client, recorder


@pytest.mark.parametrize(
    ("user", "path", "body"),
    [
        ("42", "/me", {"number": 42, "double": 84, "degraded": []}),
        ("42", "/text", "42"),
        ("042", "/text", "042"),
        ("42", "/positive", 42),
    ],
)
async def test_the_id_has_the_type_that_the_route_needs(
    sent: Sent, user: str, path: str, body: object
) -> None:
    client, _ = sent
    response = await client.get(path, headers=bearer(f"{user}-me_read"))
    assert response.status_code == 200
    assert response.json() == body


@pytest.mark.parametrize(
    ("token", "path", "reason"),
    [
        ("service", "/me", "no_user"),
        ("service", "/text", "no_user"),
        ("ada-me_read", "/me", "invalid_user_id"),
        ("042-me_read", "/me", "invalid_user_id"),
        ("+42-me_read", "/me", "invalid_user_id"),
        ("4_2-me_read", "/me", "invalid_user_id"),
        ("0-me_read", "/positive", "invalid_user_id"),
        ("42-me_read", "/uuid", "invalid_user_id"),
    ],
)
async def test_a_token_without_a_usable_user_is_refused(
    sent: Sent, token: str, path: str, reason: str
) -> None:
    client, recorder = sent
    response = await client.get(path, headers=bearer(token))
    assert response.status_code == 403
    assert response.json()["type"] == "urn:lockgate:problem:user-required"
    assert response.json()["detail"] == "This route needs the access token of a user."
    assert recorder.log_fields["reason"] == reason


async def test_authorization_comes_first(
    sent: Sent,
) -> None:
    client, _ = sent
    assert (await client.get("/me")).status_code == 401
    forbidden = await client.get("/me", headers=bearer("ada-other"))
    assert forbidden.json()["required-scopes"] == ["me:read"]


async def get_caller(caller: Caller) -> str:
    return caller.subject


@pytest.mark.parametrize("endpoint", [get_me, get_text, get_caller])
def test_a_public_route_has_no_caller(endpoint: object) -> None:
    app = FastAPI(openapi_url=None)
    app.get("/me", dependencies=[public("a mistake")])(endpoint)  # type: ignore[type-var]
    with pytest.raises(UnguardedRoute, match=r"GET /me: Caller and CallerId\[...\] need requires"):
        refuse_unguarded(app)


def test_the_id_is_not_a_parameter_in_openapi() -> None:
    app = FastAPI()
    app.include_router(router)
    assert "parameters" not in app.openapi()["paths"]["/me"]["get"]


def test_equal_types_are_one_dependency() -> None:
    positive = Annotated[int, Field(ge=1)]
    assert len({CallerIdLookup(positive), CallerIdLookup(positive), CallerIdLookup(int)}) == 2
