"""Tickets of several processes need Redis."""

import pytest
from fastapi import APIRouter

from gateway.auth import requires
from gateway.settings.schema import Counters, Settings
from gateway.tickets import accept_ticket
from gateway.tickets.setting_errors import find_ticket_errors

REDIS = "redis://localhost"

router = APIRouter()


@router.get("/prices", dependencies=[accept_ticket(), requires()])
async def get_prices() -> None:
    """A route that accepts tickets."""


@pytest.mark.parametrize(
    ("processes", "redis_url", "has_route", "count"),
    [(2, None, True, 1), (1, None, True, 0), (2, REDIS, True, 0), (2, None, False, 0)],
)
def test_several_processes_share_tickets_in_redis(
    processes: int, redis_url: str | None, has_route: bool, count: int
) -> None:
    settings = Settings.model_validate(
        {"redis_url": redis_url, "counters": Counters(processes=processes)}
    )
    errors = find_ticket_errors(settings, router.routes if has_route else [])
    assert len(errors) == count
    for error in errors:
        assert str(error) == (
            "redis_url: is required: counters.processes is 2, and /prices accepts tickets; without "
            "Redis, only the process that issued a ticket knows it (set LOCKGATE_REDIS_URL)"
        )
