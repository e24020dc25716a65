"""Routes that ask for DPoP need the URL of the gateway, and Redis for several processes."""

import pytest
from fastapi import APIRouter

from gateway.auth import requires
from gateway.dpop.open_dpop import find_dpop_errors
from gateway.fastapi_internals import iter_route_contexts
from gateway.settings.schema import Counters, Identity, Settings
from gateway.tickets import accept_ticket
from gateway.tickets.ticket_errors import find_ticket_errors

REDIS = "redis://localhost"
URL = "https://api.example.test"


def build_router(*dependencies: object) -> APIRouter:
    async def get_orders() -> None:
        """Do nothing."""

    router = APIRouter()
    router.add_api_route("/orders", get_orders, dependencies=list(dependencies))  # type: ignore[arg-type]
    return router


@pytest.mark.parametrize(
    ("issuer", "processes", "redis_url", "asks", "settings"),
    [
        (None, 1, None, True, ["identity.issuer"]),
        (None, 2, None, True, ["identity.issuer", "redis_url"]),
        (URL, 1, None, True, []),
        (URL, 2, None, True, ["redis_url"]),
        (URL, 2, REDIS, True, []),
        (None, 2, None, False, []),
    ],
)
def test_what_the_proofs_need(
    issuer: str | None, processes: int, redis_url: str | None, asks: bool, settings: list[str]
) -> None:
    values = Settings(
        redis_url=redis_url,
        counters=Counters(processes=processes),
        identity=Identity(issuer=issuer),
    )
    routes = iter_route_contexts(build_router(requires(dpop=asks)).routes)
    assert [error.path for error in find_dpop_errors(values, routes)] == settings


def test_the_error_says_which_route_asks() -> None:
    routes = iter_route_contexts(build_router(requires(dpop=True)).routes)
    (error,) = find_dpop_errors(Settings(), routes)
    assert str(error) == (
        "identity.issuer: is required: /orders asks for DPoP, whose proofs name the URL of the "
        "gateway (set LOCKGATE_IDENTITY__ISSUER to the URL that clients use)"
    )


def test_a_route_does_not_accept_tickets_and_ask_for_proofs() -> None:
    router = build_router(accept_ticket(), requires("a", dpop=True))
    (error,) = find_ticket_errors(Settings(), iter_route_contexts(router.routes))
    assert str(error) == (
        "/orders: accepts tickets and asks for DPoP: a ticket proves no key (remove "
        "accept_ticket(), or dpop=True)"
    )
