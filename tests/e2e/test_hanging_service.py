"""One service that never answers: everybody else's page arrives, and nothing is left behind."""

import asyncio
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.e2e.load import ask_at_once, connections_to
from tests.running_demo import Demo, running

CLIENTS = 50  # as many as a slow machine serves within the time-outs of a dashboard


@pytest.fixture
def unlimited_demo() -> Iterator[Demo]:
    yield from running(
        {"LOCKGATE_DEMO__LATENCY_MS": "0", "LOCKGATE_LIMITS__DASHBOARDS": "100000/second"}
    )


def test_everybody_gets_a_page_without_the_part_that_hangs(unlimited_demo: Demo) -> None:
    demo = unlimited_demo
    demo.dial("orders", fault="hang")
    answers = asyncio.run(ask_at_once(CLIENTS, demo.url, "/dashboard/42", demo.token))
    assert Counter(answer.status for answer in answers) == {200: CLIENTS}
    degraded = Counter(str(answer.body["degraded"]) for answer in answers)
    assert degraded == {"[{'part': 'orders', 'reason': 'timeout'}]": CLIENTS}
    demo.wait_until_seen("orders", started=CLIENTS, aborted=CLIENTS, in_flight=0)
    assert connections_to(demo.service("orders")) == 0
    print(f"{CLIENTS} clients: slowest {max(answer.seconds for answer in answers):.2f} s")
