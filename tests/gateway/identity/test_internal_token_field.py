"""Typed clients: a service that asks for it gets an internal token, and no other service does."""

import time

from gateway.identity.internal_token_field import InternalTokenField, create_token_fields
from gateway.identity.internal_tokens import InternalTokens
from gateway.settings.schema import Settings
from gateway.testing import lockgate
from tests.gateway.identity.verifiers import verify_with_pyjwt


def ask_for_token(settings: Settings, *names: str) -> Settings:
    services = {
        name: service.model_copy(update={"internal_token": name in names})
        for name, service in settings.upstreams.items()
    }
    return settings.model_copy(update={"upstreams": services})


async def test_a_service_that_asks_gets_a_token_for_itself(settings: Settings) -> None:
    async with lockgate(ask_for_token(settings, "users")) as gateway:
        page = await gateway.get(
            "/dashboard/42", user="42", scopes=["dashboard:read", "orders:write"]
        )
        keys = (await gateway.get("/.well-known/jwks.json")).json()["keys"]
        (sent,) = gateway.service("users").requests
        (other,) = gateway.service("orders").requests
    assert page.status_code == 200
    token = sent.headers["authorization"].removeprefix("Bearer ")
    claims = verify_with_pyjwt(token, keys, "users", time.time())
    assert claims["sub_id"]["sub"] == "42"
    assert claims["scope"] == "dashboard:read"
    assert "authorization" not in other.headers


async def test_a_caller_with_the_wider_scope_hands_on_that_form(settings: Settings) -> None:
    async with lockgate(ask_for_token(settings, "users")) as gateway:
        await gateway.get("/dashboard/42", user="7", scopes=["dashboard:read:any"])
        keys = (await gateway.get("/.well-known/jwks.json")).json()["keys"]
        (sent,) = gateway.service("users").requests
    token = sent.headers["authorization"].removeprefix("Bearer ")
    assert verify_with_pyjwt(token, keys, "users", time.time())["scope"] == "dashboard:read:any"


def test_without_a_caller_nothing_is_sent(tokens: InternalTokens) -> None:
    scope = {"type": "http", "headers": [(b"authorization", b"Bearer unverified")]}
    assert InternalTokenField(tokens, "users")(scope) == {}


def test_without_keys_no_service_has_a_field(settings: Settings) -> None:
    upstreams = ask_for_token(settings, "users").upstreams
    assert create_token_fields(upstreams, None) == {}
