"""Signals: `lockgate serve` drains, stops, or ignores them."""

import http.client
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.gateway.cli.conftest import KEYS

TIMEOUT_SECONDS = 20


class Served:
    """A running `lockgate serve`."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self.process = process
        self.log = log

    def read_events(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def wait_for(self, event: str, count: int = 1) -> dict[str, object]:
        """Wait for the event with this number, and return it."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            if len(found := [one for one in self.read_events() if one["event"] == event]) >= count:
                return found[-1]
            time.sleep(0.02)
        raise AssertionError(self.log.read_text())

    @contextmanager
    def connect(self) -> Iterator[http.client.HTTPConnection]:
        host = str(self.wait_for("gateway.started")["url"]).removeprefix("http://")
        with closing(http.client.HTTPConnection(host, timeout=TIMEOUT_SECONDS)) as connection:
            yield connection


def get(connection: http.client.HTTPConnection, path: str) -> tuple[int, str | None, bytes]:
    """Return status, Connection and content of a response."""
    connection.request("GET", path)
    response = connection.getresponse()
    return response.status, response.getheader("connection"), response.read()


@contextmanager
def serve(issuer: Path, folder: Path) -> Iterator[Served]:
    issuer.write_bytes(KEYS)
    log = folder / "log"
    with (
        log.open("w") as stderr,
        subprocess.Popen(
            [sys.executable, "-m", "gateway.cli", "serve", "--host", "127.0.0.1", "--port", "0"],
            stdout=subprocess.PIPE, stderr=stderr, text=True,
        ) as process,
    ):  # fmt: skip
        try:
            yield Served(process, log)
        finally:
            process.kill()


def test_sigterm_fails_readiness_and_serves_on_before_it_stops(
    issuer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCKGATE_SERVER__DRAIN_SECONDS", "1.5")
    with serve(issuer, tmp_path) as served, served.connect() as kept:
        assert get(kept, "/readyz")[:2] == (200, None)
        assert get(kept, "/healthz")[:2] == (200, None)
        served.process.send_signal(signal.SIGTERM)
        assert served.wait_for("gateway.stopping")["drain_seconds"] == 1.5
        status, connection, content = get(kept, "/readyz")
        assert (status, connection) == (503, "close")
        assert json.loads(content)["status"] == "draining"
        with served.connect() as new:
            assert get(new, "/healthz")[:2] == (200, "close")
        assert served.process.wait(TIMEOUT_SECONDS) == 0
        with served.connect() as late, pytest.raises(ConnectionRefusedError):
            late.connect()


def test_signals_of_other_servers_are_ignored_and_a_second_signal_ends_at_once(
    issuer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCKGATE_SERVER__DRAIN_SECONDS", "600")
    with serve(issuer, tmp_path) as served, served.connect() as connection:
        connection.connect()
        for count, name in enumerate(("SIGHUP", "SIGUSR1", "SIGUSR2"), start=1):
            served.process.send_signal(signal.Signals[name])
            assert served.wait_for("signal.ignored", count)["signal"] == name
        served.process.send_signal(signal.SIGPIPE)
        assert get(connection, "/healthz")[0] == 200
        served.process.send_signal(signal.SIGTERM)
        served.wait_for("gateway.stopping")
        served.process.send_signal(signal.SIGINT)
        assert served.process.wait(TIMEOUT_SECONDS) == -signal.SIGINT


def test_sigint_does_not_drain(issuer: Path, tmp_path: Path) -> None:
    with serve(issuer, tmp_path) as served, served.connect() as connection:
        assert get(connection, "/healthz")[0] == 200
        served.process.send_signal(signal.SIGINT)
        assert served.wait_for("gateway.stopping")["drain_seconds"] == 0
        assert served.process.wait(TIMEOUT_SECONDS) == 0


STUCK = """
import asyncio
from contextlib import asynccontextmanager


@asynccontextmanager
async def lifespan(resources):
    try:
        print("opening", flush=True)
        await asyncio.sleep(3_600)
        yield
    finally:
        print("closed", flush=True)
"""


def test_one_signal_ends_a_start_that_takes_long(
    issuer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "kiosk_stuck"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "lifespan.py").write_text(STUCK)
    (package / "limits.py").write_text(
        "from gateway.ratelimit import RateLimit\nALL = RateLimit('all', '1/second')\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("LOCKGATE_APP__PACKAGE", package.name)
    with serve(issuer, tmp_path) as served:
        assert served.process.stdout is not None
        assert served.process.stdout.readline() == "opening\n"
        served.process.send_signal(signal.SIGTERM)
        assert served.process.stdout.read() == "closed\n"
        assert served.process.wait(TIMEOUT_SECONDS) == 0
        events = [one["event"] for one in served.read_events()]
        assert events[-1] == "gateway.stopping"
        assert "gateway.started" not in events
