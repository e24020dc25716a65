"""The dashboard's contract, in full: four parts, five outcomes each, every combination.

`REQUIRED` and `OPTIONAL` are the table; the test holds all 625 answers against it.
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

OUTCOMES: dict[str, Callable[[ScriptedService], None]] = {
    "ok": ScriptedService.behaves,
    "slow": lambda script: script.behaves(after=5),
    "failed": lambda script: script.fails(500),
    "malformed": lambda script: script.answers({"id": "not what its type says"}),
    "connection lost": ScriptedService.loses_connection,
}

# The profile must load: its outcome decides the status, and the problem where it is not ok.
REQUIRED: dict[str, tuple[int, str | None]] = {
    "ok": (200, None),
    "slow": (504, "urn:lockgate:problem:upstream-timeout"),
    "failed": (503, "urn:lockgate:problem:upstream-unavailable"),
    "malformed": (502, "urn:lockgate:problem:upstream-invalid"),
    "connection lost": (503, "urn:lockgate:problem:upstream-unavailable"),
}

# The others may be missing: [] in their place, and the reason in `degraded`.
OPTIONAL: dict[str, str | None] = {
    "ok": None,
    "slow": "timeout",
    "failed": "unavailable",
    "malformed": "invalid",
    "connection lost": "unavailable",
}

PLENTY = Settings(limits={"dashboards": Rate(100_000, 1)})


async def dashboard(gateway: TestGateway, outcomes: tuple[str, ...]) -> tuple[int, object]:
    """Play the outcomes; the answer's status and body, without what differs between requests."""
    for service, outcome in zip(SERVICES, outcomes, strict=True):
        OUTCOMES[outcome](gateway.service(service))
    answer = await gateway.get("/dashboard/42", user="42", scopes=["dashboard:read"])
    body = answer.json()
    assert body.pop("instance", None) == (
        None if answer.status_code == 200 else answer.headers["x-request-id"]
    )
    return answer.status_code, body


def expected(whole: dict[str, object], outcomes: tuple[str, ...]) -> tuple[int, object]:
    """What the table says."""
    status, problem = REQUIRED[outcomes[0]]
    if problem:
        return status, problem
    reasons = {part: OPTIONAL[o] for part, o in zip(PARTS[1:], outcomes[1:], strict=True)}
    body = {part: [] if reasons.get(part) else whole[part] for part in PARTS}
    degraded = [{"part": part, "reason": reason} for part, reason in reasons.items() if reason]
    return 200, {**body, "degraded": degraded}


@pytest.mark.filterwarnings("error")
def test_every_combination_of_outcomes_gives_what_the_table_says() -> None:
    async def play() -> None:
        async with lockgate(PLENTY) as gateway:
            _, whole = await dashboard(gateway, ("ok",) * 4)
            assert isinstance(whole, dict)
            combinations = list(product(OUTCOMES, repeat=4))
            assert len(combinations) == 625
            for outcomes in combinations:
                status, body = await dashboard(gateway, outcomes)
                assert isinstance(body, dict)
                seen = body if status == 200 else body["type"]
                assert (status, seen) == expected(whole, outcomes), outcomes
            assert len(asyncio.all_tasks()) == ALONE

    run_in_virtual_time(play())


ALONE = 2  # the test itself, and the refresh of the identity provider's keys


@pytest.mark.parametrize("outcome", ["ok", "degraded"])
def test_the_order_in_which_parts_arrive_leaves_no_trace(outcome: str) -> None:
    async def play() -> set[bytes]:
        answers = set()
        async with lockgate(PLENTY) as gateway:
            for delays in permutations((0.1, 0.2, 0.3, 0.4)):
                for service, delay in zip(SERVICES, delays, strict=True):
                    gateway.service(service).behaves(after=delay)
                if outcome == "degraded":
                    gateway.service("orders").fails(503, after=delays[1])
                    gateway.service("recommendations").loses_connection(after=delays[3])
                page = await gateway.get("/dashboard/42", user="42", scopes=["dashboard:read"])
                answers.add(page.content)
        return answers

    assert len(run_in_virtual_time(play())) == 1


def test_a_required_part_that_fails_stops_the_calls_still_running() -> None:
    async def play() -> None:
        async with lockgate() as gateway:
            gateway.service("users").fails(503, after=0.1)
            for service in SERVICES[1:]:
                gateway.service(service).hangs()
            begun = asyncio.get_running_loop().time()
            page = await gateway.get("/dashboard/42", user="42", scopes=["dashboard:read"])
            assert asyncio.get_running_loop().time() - begun == pytest.approx(0.1)
            assert page.status_code == 503
            assert page.headers["retry-after"] == "1"
            assert [gateway.service(service).cancelled for service in SERVICES[1:]] == [1, 1, 1]

    run_in_virtual_time(play())
