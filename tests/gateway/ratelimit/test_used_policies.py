"""The policies of a package, and the claims that they read, in a gateway that verifies tokens."""

from pathlib import Path
from typing import Annotated

import httpx
from fastapi import APIRouter, Depends

from gateway.app import create_app
from gateway.app_loader import Application
from gateway.auth.dependencies import requires
from gateway.ratelimit import RateLimit, limited
from gateway.ratelimit.reservation import Reservation
from gateway.ratelimit.reserved_dependency import reserved
from gateway.ratelimit.used_policies import find_claims, find_policies, find_reserved_policies
from gateway.settings.schema import Issuer, Settings
from tests.gateway.auth.token_factory import (
    AUDIENCE,
    ISSUER,
    encode_jwk_set,
    get_signing_key,
    make_claims,
    make_token,
)

DECLARED = RateLimit(
    "declared", "1/minute", per="claim:org", tiers={"pro": "2/minute"}, tier_claim="plan"
)
OF_ROUTE = RateLimit("of_route", "1/minute", per="claim:team")


def test_the_policies_of_routes_are_found_and_those_of_dependencies_in_them() -> None:
    router = APIRouter()
    guard = limited(OF_ROUTE)

    def check(_: Annotated[None, guard]) -> None: ...

    @router.get("/nested", dependencies=[Depends(check), limited(DECLARED)])
    async def nested() -> None: ...

    found = find_policies(router, {"declared": DECLARED})
    assert found == {"declared": DECLARED, "of_route": OF_ROUTE}
    assert find_claims(found.values()) == {"org", "plan", "team"}
    assert find_claims([]) == set()


def test_the_policies_of_routes_that_settle_are_known_before_the_first_settlement() -> None:
    router = APIRouter()

    @router.get("/", dependencies=[limited(DECLARED)])
    async def read(tokens: Annotated[Reservation, reserved(OF_ROUTE)]) -> None: ...

    assert find_reserved_policies(router) == {"of_route"}


async def test_the_claims_of_a_verified_token_are_counted_and_select_the_tier(
    tmp_path: Path,
) -> None:
    file = tmp_path / "jwks.json"
    file.write_bytes(encode_jwk_set(get_signing_key("ES256").jwk()))
    issuer = Issuer(issuer=ISSUER, audience=AUDIENCE, jwks_file=file)
    router = APIRouter()

    @router.get("/", dependencies=[requires("dashboard:read"), limited(DECLARED)])
    async def read() -> str:
        return "ok"

    app = create_app(Settings(issuers=(issuer,)), application=Application(routers=[router]))
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://gateway") as client,
    ):

        async def send(**claims: object) -> int:
            token = make_token(make_claims(**claims), key=get_signing_key("ES256"))
            return (await client.get("/", headers={"Authorization": f"Bearer {token}"})).status_code

        assert [await send(org="acme", sub=sub) for sub in ("a", "b")] == [200, 429]
        pros = [await send(org="pros", plan="pro", sub=str(number)) for number in range(3)]
        assert pros == [200, 200, 429]
        assert await send(org=["acme"], plan={"pro": 1}, sub="a") == 200  # of no use: the subject
