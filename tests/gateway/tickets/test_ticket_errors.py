"""Tickets of several processes need Redis, and tickets in Redis need a key."""

import pytest
from fastapi import APIRouter

from gateway.auth import requires
from gateway.fastapi_internals import iter_route_contexts
from gateway.settings.schema import Counters, Settings
from gateway.tickets import accept_ticket
from gateway.tickets.ticket_errors import find_ticket_errors

REDIS = "redis://localhost"

router = APIRouter()


@router.get("/prices", dependencies=[accept_ticket(), requires()])
async def get_prices() -> None:
    """A route that accepts tickets."""


@pytest.mark.parametrize(
    ("processes", "redis_url", "has_route", "setting"),
    [
        (2, None, True, "redis_url"),
        (1, None, True, ""),
        (2, None, False, ""),
        (2, REDIS, True, "identity.signing_key_file"),
        (2, REDIS, False, ""),
    ],
)
def test_what_the_store_of_tickets_needs(
    processes: int, redis_url: str | None, has_route: bool, setting: str
) -> None:
    settings = Settings.model_validate(
        {"redis_url": redis_url, "counters": Counters(processes=processes)}
    )
    routes = iter_route_contexts(router.routes) if has_route else []
    assert [error.path for error in find_ticket_errors(settings, routes)] == list(
        filter(None, [setting])
    )


def test_the_error_of_several_processes_says_why() -> None:
    settings = Settings(counters=Counters(processes=2))
    (error,) = find_ticket_errors(settings, iter_route_contexts(router.routes))
    assert str(error) == (
        "redis_url: is required: counters.processes is 2, and /prices accepts tickets; without "
        "Redis, only the process that issued a ticket knows it (set LOCKGATE_REDIS_URL)"
    )
