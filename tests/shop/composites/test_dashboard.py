"""The dashboard for every combination of outcomes: four parts with five outcomes each.

`REQUIRED` and `OPTIONAL` define the expected responses of all 625 combinations.
"""

import asyncio
from collections.abc import Callable
from itertools import permutations, product

import pytest

from gateway.settings.rate import Rate
from gateway.settings.schema import Settings
from gateway.testing import ScriptedService, TestGateway, lockgate, run_in_virtual_time

SERVICES = ("users", "orders", "notifications", "recommendations")
PARTS = ("profile", "orders", "notifications", "recommendations")

OUTCOMES: dict[str, Callable[[ScriptedService], object]] = {
    "ok": ScriptedService.behaves,
    "slow": lambda script: script.behaves(after=5),
    "failed": lambda script: script.fails(500),
    "malformed": lambda script: script.answers({"id": "not what its type says"}),
    "connection lost": ScriptedService.loses_connection,
}

# The profile is required: its outcome decides the status and the problem type.
REQUIRED: dict[str, tuple[int, str | None]] = {
    "ok": (200, None),
    "slow": (504, "urn:lockgate:problem:upstream-timeout"),
    "failed": (503, "urn:lockgate:problem:upstream-unavailable"),
    "malformed": (502, "urn:lockgate:problem:upstream-invalid"),
    "connection lost": (503, "urn:lockgate:problem:upstream-unavailable"),
}

# The other parts are optional: a failed one is [], with the reason in `degraded`.
OPTIONAL: dict[str, str | None] = {
    "ok": None,
    "slow": "timeout",
    "failed": "unavailable",
    "malformed": "invalid",
    "connection lost": "unavailable",
}

UNLIMITED = Settings(limits={"dashboards": Rate(100_000, 1)})


async def get_dashboard(gateway: TestGateway, outcomes: tuple[str, ...]) -> tuple[int, object]:
    """Request a dashboard with these outcomes. Returns its status and comparable body."""
    for service, outcome in zip(SERVICES, outcomes, strict=True):
        OUTCOMES[outcome](gateway.service(service))
    response = await gateway.get("/dashboard/42", user="42", scopes=["dashboard:read"])
    body = response.json()
    assert body.pop("instance", None) == (
        None if response.status_code == 200 else response.headers["x-request-id"]
    )
    return response.status_code, body


def get_expected(whole: dict[str, object], outcomes: tuple[str, ...]) -> tuple[int, object]:
    """The status and body that the tables define."""
    status, problem = REQUIRED[outcomes[0]]
    if problem:
        return status, problem
    reasons = {part: OPTIONAL[o] for part, o in zip(PARTS[1:], outcomes[1:], strict=True)}
    body = {part: [] if reasons.get(part) else whole[part] for part in PARTS}
    degraded = [{"part": part, "reason": reason} for part, reason in reasons.items() if reason]
    return 200, {**body, "degraded": degraded}


@pytest.mark.filterwarnings("error")
def test_every_combination_of_outcomes_matches_the_tables() -> None:
    async def run() -> None:
        async with lockgate(UNLIMITED) as gateway:
            _, whole = await get_dashboard(gateway, ("ok",) * 4)
            assert isinstance(whole, dict)
            combinations = list(product(OUTCOMES, repeat=4))
            assert len(combinations) == 625
            for outcomes in combinations:
                status, body = await get_dashboard(gateway, outcomes)
                assert isinstance(body, dict)
                outcome = body if status == 200 else body["type"]
                assert (status, outcome) == get_expected(whole, outcomes), outcomes
            assert len(asyncio.all_tasks()) == IDLE_TASKS

    run_in_virtual_time(run())


# The test itself, the refresh of the keys of the issuer, the watch of the signing keys, and the
# renewal of leases.
IDLE_TASKS = 4


@pytest.mark.parametrize("outcome", ["ok", "degraded"])
def test_the_order_in_which_parts_arrive_does_not_matter(outcome: str) -> None:
    async def run() -> set[bytes]:
        responses = set()
        async with lockgate(UNLIMITED) as gateway:
            for delays in permutations((0.1, 0.2, 0.3, 0.4)):
                for service, delay in zip(SERVICES, delays, strict=True):
                    gateway.service(service).behaves(after=delay)
                if outcome == "degraded":
                    gateway.service("orders").fails(503, after=delays[1])
                    gateway.service("recommendations").loses_connection(after=delays[3])
                page = await gateway.get("/dashboard/42", user="42", scopes=["dashboard:read"])
                responses.add(page.content)
        return responses

    assert len(run_in_virtual_time(run())) == 1


def test_a_failed_required_part_cancels_the_calls_in_flight() -> None:
    async def run() -> None:
        async with lockgate() as gateway:
            gateway.service("users").fails(503, after=0.1)
            for service in SERVICES[1:]:
                gateway.service(service).hangs()
            started_at = asyncio.get_running_loop().time()
            page = await gateway.get("/dashboard/42", user="42", scopes=["dashboard:read"])
            assert asyncio.get_running_loop().time() - started_at == pytest.approx(0.1)
            assert page.status_code == 503
            assert page.headers["retry-after"] == "1"
            assert [gateway.service(service).cancelled for service in SERVICES[1:]] == [1, 1, 1]

    run_in_virtual_time(run())
