"""One service hangs: every dashboard arrives without its part, and no connection leaks."""

import asyncio
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.e2e.load import count_connections, get_concurrently
from tests.running_demo import FAST, SAMPLE, Demo, run_demo

CLIENTS = 50  # few enough for a slow machine to serve within the timeouts of a dashboard


@pytest.fixture
def unlimited_demo() -> Iterator[Demo]:
    yield from run_demo(SAMPLE | FAST | {"LOCKGATE_LIMITS__DASHBOARDS": "100000/second"})


def test_every_client_gets_a_dashboard_without_the_hanging_part(unlimited_demo: Demo) -> None:
    demo = unlimited_demo
    demo.set_dial("orders", fault="hang")
    responses = asyncio.run(get_concurrently(CLIENTS, demo.url, "/dashboard/42", demo.token))
    assert Counter(response.status for response in responses) == {200: CLIENTS}
    degraded = Counter(str(response.body["degraded"]) for response in responses)
    assert degraded == {"[{'part': 'orders', 'reason': 'timeout'}]": CLIENTS}
    demo.wait_for_counts("orders", started=CLIENTS, aborted=CLIENTS, in_flight=0)
    assert count_connections(demo.service("orders")) == 0
    print(f"{CLIENTS} clients: slowest {max(response.seconds for response in responses):.2f} s")
