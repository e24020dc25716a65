"""The numbers on the page about production are those of the code, and of the deployment files."""

import re

import pytest
import yaml

from gateway.http1_grammar import MAX_FIELDS, MAX_HEAD_BYTES
from gateway.server import (
    accept_loop,
    client_timeouts,
    connections,
    file_limit,
    listener,
    pipelining,
    request_cycle,
)
from gateway.settings.schema import Server
from tests.docs.project import ROOT

PAGE = (ROOT / "docs/how-to/run-in-production.md").read_text()
PROSE = " ".join(PAGE.split())
FAILURES = (ROOT / "docs/explanation/when-things-fail.md").read_text()
SERVER = Server()
STOP_SECONDS = SERVER.drain_seconds + SERVER.shutdown_seconds


@pytest.mark.parametrize("name", ["idle_seconds", "head_seconds", "stall_seconds"])
def test_the_table_has_the_default_of_each_timeout(name: str) -> None:
    default = f"{getattr(SERVER, name):g}"
    rows = re.findall(rf"\| `server\.{name}` \| (\d+) s \|", PAGE)
    assert rows
    assert set(rows) == {default}
    assert f"`server.{name}` ({default})" in FAILURES


@pytest.mark.parametrize(
    "claim",
    [
        f"`server.drain_seconds` ({SERVER.drain_seconds:g})",
        f"`server.shutdown_seconds` ({SERVER.shutdown_seconds})",
        f"| none | {connections.LINGER_SECONDS:g} s |",
        f"at least {client_timeouts.MIN_BYTES_PER_SECOND} bytes per second",
        f"at most {connections.SWEEP_SECONDS:g} s late",
        f"more than {request_cycle.MAX_DROPPED_BYTES >> 20} MiB",
        f"all but {file_limit.MAX_RESERVE}, at most {file_limit.DEFAULT_MAX_CONNECTIONS}",
        f"{accept_loop.RESERVED_CONNECTIONS} more connections are accepted for probes",
        f"backlog of the kernel ({listener.BACKLOG}",
        f"{accept_loop.PAUSE_SECONDS * 1_000:g} ms later",
        f"Up to {pipelining.MAX_PIPELINED} pipelined requests",
        f"the same {pipelining.PARSE_BYTES} bytes",
        f"{MAX_HEAD_BYTES >> 10} KiB at most",
        f"at most once in {accept_loop.LOG_SECONDS:g} s",
    ],
)
def test_the_page_has_the_numbers_of_the_code(claim: str) -> None:
    assert claim in PROSE


def test_the_page_about_failures_has_the_bounds_of_a_head() -> None:
    assert f"exceeds {MAX_HEAD_BYTES >> 10} KiB or {MAX_FIELDS} header fields" in FAILURES
    assert f"less than {client_timeouts.MIN_BYTES_PER_SECOND} bytes per second" in FAILURES


def test_every_grace_period_is_longer_than_drain_and_shutdown() -> None:
    compose = yaml.safe_load((ROOT / "config/deploy/compose.yaml").read_text())
    periods = [compose["services"]["gateway"]["stop_grace_period"]]
    periods += re.findall(r"stop_grace_period: (\d+)s", PAGE)
    periods += re.findall(r"terminationGracePeriodSeconds: (\d+)", PAGE)
    periods += re.findall(r"TimeoutStopSec=(\d+)", PAGE)
    assert len(periods) == 4
    assert all(int(period.removesuffix("s")) > STOP_SECONDS + 5 for period in periods)


def test_connections_are_kept_longer_than_a_balancer_keeps_them() -> None:
    assert SERVER.idle_seconds > 60
