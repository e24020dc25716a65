"""`requires`, `owner` and `public`: admitted and refused callers, and their log fields."""

import httpx
import pytest
from fastapi import APIRouter, FastAPI

from gateway.auth import owner, public, requires
from gateway.auth.verifier import TokenVerifier
from gateway.errors.handlers import install_error_handlers
from gateway.resources import Resources
from tests.gateway.auth.conftest import bearer, client_of, guarded_app
from tests.gateway.auth.fake_verifier import (
    ANY,
    OTHER,
    OWNERLESS,
    READ,
    FakeVerifier,
    LogFieldsRecorder,
)
from tests.gateway.auth.token_factory import make_token


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
async def test_only_the_right_callers_are_admitted(
    recorded_client: httpx.AsyncClient,
    recorder: LogFieldsRecorder,
    token: str,
    path: str,
    outcome: tuple[int, str | None],
) -> None:
    answer = await recorded_client.get(path, headers=bearer(token))
    assert (answer.status_code, recorder.log_fields.get("reason")) == outcome


async def test_the_challenge_names_the_scope_that_is_missing(
    recorded_client: httpx.AsyncClient,
) -> None:
    answer = await recorded_client.get("/me", headers=bearer(OTHER))
    challenge = 'Bearer realm="lockgate", error="insufficient_scope", scope="dashboard:read"'
    assert answer.headers["www-authenticate"] == challenge
    assert answer.json()["required-scopes"] == ["dashboard:read"]
    answer = await recorded_client.get("/users/u2", headers=bearer(READ))
    assert answer.json()["required-scopes"] == ["dashboard:read:any"]


async def test_an_unreachable_identity_provider_is_503_not_401(
    recorded_client: httpx.AsyncClient, recorder: LogFieldsRecorder
) -> None:
    answer = await recorded_client.get("/me", headers=bearer("later"))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")
    assert recorder.log_fields.items() >= {"issuer": "iss", "explanation": "why"}.items()


async def test_a_token_is_verified_once_per_request(
    recorded_client: httpx.AsyncClient, fake_verifier: FakeVerifier
) -> None:
    assert (await recorded_client.get("/users/u1", headers=bearer(READ))).status_code == 200
    assert fake_verifier.verifications == 1


async def test_the_caller_and_nothing_else_is_logged(
    recorded_client: httpx.AsyncClient, recorder: LogFieldsRecorder
) -> None:
    await recorded_client.get("/me", headers=bearer(READ))
    assert recorder.log_fields == {"caller": "u1", "issuer": "iss"}
    await recorded_client.get("/me", headers=bearer(OWNERLESS))
    assert recorder.log_fields == {"caller": "nobody", "issuer": "iss"}
    await recorded_client.get("/me", headers=bearer("x" * 300 + "-dashboard_read"))
    assert recorder.log_fields == {"caller": "x" * 64, "issuer": "iss"}
    await recorded_client.get("/me", headers=bearer("bad"))
    assert recorder.log_fields == {"reason": "bad_signature", "error": "Unauthenticated"}


@pytest.mark.parametrize(
    ("token", "path", "explanation"),
    [
        (OTHER, "/me", '"dashboard:read" is required; the token has "orders:read"'),
        ("u1-", "/me", '"dashboard:read" is required; the token has ""'),
        (OWNERLESS, "/users/u1", "the token has no user id: see user_claim"),
        (READ, "/users/u2", None),
    ],
)
async def test_the_log_explains_a_403(
    recorded_client: httpx.AsyncClient,
    recorder: LogFieldsRecorder,
    token: str,
    path: str,
    explanation: str | None,
) -> None:
    answer = await recorded_client.get(path, headers=bearer(token))
    assert answer.status_code == 403
    assert recorder.log_fields.get("explanation") == explanation
    assert "required;" not in answer.text


async def test_the_log_explains_a_401_and_the_response_does_not(verifier: TokenVerifier) -> None:
    recorder = LogFieldsRecorder(guarded_app(verifier))
    async with client_of(recorder) as client:
        answer = await client.get("/me", headers=bearer(make_token({"aud": "account"})))
    assert recorder.log_fields == {
        "reason": "wrong_audience",
        "explanation": 'aud is "account"; the setting audience has "gateway"',
        "error": "Unauthenticated",
    }
    assert "account" not in answer.text + str(answer.headers)


async def test_a_public_route_admits_every_caller(fake_verifier: FakeVerifier) -> None:
    app = FastAPI(dependencies=[public("a test")])
    app.add_api_route("/", lambda: "hello")
    async with client_of(app) as client:
        assert (await client.get("/", headers=bearer("bad"))).json() == "hello"
    assert fake_verifier.verifications == 0


@pytest.mark.parametrize("scopes", [("b",), ("a", "b"), ("b", "a")])
async def test_scopes_of_router_and_route_add_up(
    fake_verifier: FakeVerifier, scopes: tuple[str, ...]
) -> None:
    router = APIRouter(dependencies=[requires("a")])
    guards = [requires(*scopes), owner("user_id")]
    router.add_api_route("/{user_id}", lambda user_id: user_id, dependencies=guards)
    app = FastAPI()
    install_error_handlers(app)
    app.include_router(router)
    app.state.resources = Resources()
    app.state.resources[TokenVerifier] = fake_verifier
    async with client_of(app) as client:
        expected = {"u1-b": 403, "u1-a": 403, "u1-a+b": 200, "u2-a+b": 403, "u2-a_any+b": 200}
        for token, status in expected.items():
            assert (await client.get("/u1", headers=bearer(token))).status_code == status


async def test_openapi_documents_bearer_tokens_and_scopes(fake_verifier: FakeVerifier) -> None:
    document = guarded_app(fake_verifier).openapi()
    scheme = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    assert document["components"]["securitySchemes"] == {"bearer": scheme}
    for path in ("/me", "/users/{user_id}"):
        assert document["paths"][path]["get"]["security"] == [{"bearer": ["dashboard:read"]}]


@pytest.mark.parametrize("scope", ["", "a b", 'a"', "a\\", "é", "a\n"])
def test_an_invalid_scope_is_a_value_error(scope: str) -> None:
    with pytest.raises(ValueError, match="scope"):
        requires(scope)


@pytest.mark.parametrize("why", ["", "  "])
def test_public_needs_a_reason(why: str) -> None:
    with pytest.raises(ValueError, match="why"):
        public(why)


async def test_a_path_parameter_with_a_convertor_has_no_owner(fake_verifier: FakeVerifier) -> None:
    app = FastAPI()
    install_error_handlers(app)
    app.state.resources = Resources()
    app.state.resources[TokenVerifier] = fake_verifier
    guards = [requires("a"), owner("user_id")]
    app.add_api_route("/{user_id:int}", lambda user_id: user_id, dependencies=guards)
    async with client_of(app) as client:
        assert (await client.get("/7", headers=bearer("7-a"))).status_code == 403
