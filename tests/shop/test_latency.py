"""Latency of a dashboard: for one client, and for 200 clients while one service hangs."""

import asyncio
from collections import Counter
from collections.abc import Iterator

import pytest

from gateway.composites.dashboard import Dashboard
from tests.e2e.load import TimedResponse, count_connections, get, get_concurrently
from tests.running_demo import FAST, Demo, run_demo

SERVICE_LATENCY, MAX_LATENCY = 0.200, 0.300  # seconds
CLIENTS, ROUNDS = 200, 5

pytestmark = pytest.mark.prove


@pytest.fixture
def default_demo() -> Iterator[Demo]:
    """The demo with the settings of `make run`, but on free ports."""
    yield from run_demo({})


@pytest.fixture
def unlimited_demo() -> Iterator[Demo]:
    yield from run_demo(FAST | {"LOCKGATE_LIMITS__DASHBOARDS": "100000/second"})


async def ask_in_sequence(count: int, demo: Demo) -> list[TimedResponse]:
    return [await get(demo.url, "/dashboard/42", demo.token) for _ in range(count)]


def test_a_dashboard_takes_as_long_as_its_slowest_service(default_demo: Demo) -> None:
    answers = asyncio.run(ask_in_sequence(20, default_demo))
    seconds = sorted(answer.seconds for answer in answers)
    print(f"\nfour services of 200 ms: median {seconds[10]:.3f} s, slowest {seconds[-1]:.3f} s")
    assert seconds[0] >= SERVICE_LATENCY
    assert seconds[-1] < MAX_LATENCY


def test_a_hanging_service_delays_no_client_beyond_the_budget(unlimited_demo: Demo) -> None:
    demo = unlimited_demo
    demo.set_dial("orders", fault="hang")
    for _ in range(ROUNDS):
        answers = asyncio.run(get_concurrently(CLIENTS, demo.url, "/dashboard/42", demo.token))
        slowest = max(answer.seconds for answer in answers)
        print(
            f"\n{CLIENTS} clients, orders hanging, budget {Dashboard.budget} s: slowest "
            f"{slowest:.2f} s, {dict(Counter(answer.status for answer in answers))}"
        )
        assert slowest <= Dashboard.budget * 1.1
        demo.wait_for_counts("orders", in_flight=0)
        assert count_connections(demo.service("orders")) == 0
