"""Signals: `lockgate serve` drains, stops, or ignores them."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.gateway.cli.conftest import KEYS

TIMEOUT_SECONDS = 60


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


@pytest.fixture
def lifespan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The module `lifespan` of the package that is served; the test writes it."""
    package = tmp_path / "kiosk_stuck"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "limits.py").write_text(
        "from gateway.ratelimit import RateLimit\nALL = RateLimit('all', '1/second')\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("LOCKGATE_APP__PACKAGE", package.name)
    monkeypatch.setenv("LOCKGATE_SERVER__DRAIN_SECONDS", "0")
    monkeypatch.setenv("LOCKGATE_SERVER__SHUTDOWN_SECONDS", "1")
    return package / "lifespan.py"


LIFESPAN = """
import asyncio, threading, time
from contextlib import asynccontextmanager


@asynccontextmanager
async def lifespan(resources):
    try:
        print("opening", flush=True)
        {opening}
        yield
    finally:
        print("closing", flush=True)
        {closing}
        print("closed", flush=True)
"""


def test_one_signal_ends_a_start_that_takes_long(
    issuer: Path, tmp_path: Path, lifespan: Path
) -> None:
    lifespan.write_text(LIFESPAN.format(opening="await asyncio.sleep(3_600)", closing="pass"))
    with serve(issuer, tmp_path) as served:
        assert served.process.stdout is not None
        assert served.process.stdout.readline() == "opening\n"
        served.process.send_signal(signal.SIGTERM)
        assert served.process.stdout.read() == "closing\nclosed\n"
        assert served.process.wait(TIMEOUT_SECONDS) == 0
        events = [one["event"] for one in served.read_events()]
        assert events[-1] == "gateway.stopping"
        assert "gateway.started" not in events


@pytest.mark.parametrize("block", ["time.sleep(3_600)", "threading.Event().wait()"])
def test_a_second_signal_ends_a_process_whose_event_loop_is_blocked(
    issuer: Path, tmp_path: Path, lifespan: Path, block: str
) -> None:
    lifespan.write_text(LIFESPAN.format(opening=block, closing="pass"))
    with serve(issuer, tmp_path) as served:
        assert served.process.stdout is not None
        assert served.process.stdout.readline() == "opening\n"
        deadline = time.monotonic() + TIMEOUT_SECONDS
        # Python may run the handler once for two signals that come at the same moment.
        while served.process.poll() is None and time.monotonic() < deadline:
            served.process.send_signal(signal.SIGTERM)
            time.sleep(0.05)
        assert served.process.poll() == -signal.SIGTERM


def test_a_lifespan_that_does_not_close_is_cancelled_and_named(
    issuer: Path, tmp_path: Path, lifespan: Path
) -> None:
    lifespan.write_text(LIFESPAN.format(opening="pass", closing="await asyncio.sleep(3_600)"))
    with serve(issuer, tmp_path) as served:
        served.wait_for("gateway.started")
        served.process.send_signal(signal.SIGTERM)
        assert served.process.wait(TIMEOUT_SECONDS) == 0
        cancelled = served.wait_for("shutdown.timeout")
    assert cancelled["waiting_for"] == "the lifespan of the package"
    assert cancelled["seconds"] == 1
    assert f'{lifespan}", line 14' in str(cancelled["exception"])


def test_a_lifespan_that_fails_to_close_is_logged_with_its_traceback(
    issuer: Path, tmp_path: Path, lifespan: Path
) -> None:
    lifespan.write_text(LIFESPAN.format(opening="pass", closing="raise LookupError('lost')"))
    with serve(issuer, tmp_path) as served:
        served.wait_for("gateway.started")
        served.process.send_signal(signal.SIGTERM)
        assert served.process.wait(TIMEOUT_SECONDS) == 1
    *lines, last = served.log.read_text().splitlines()
    assert last == (
        "lockgate: the end of the lifespan of the package failed: LookupError in "
        f"{lifespan}:14; its traceback is in the log"
    )
    assert "LookupError: lost" in json.loads(lines[-1])["exception"]


@pytest.mark.parametrize(
    ("opening", "closing", "place", "thread"),
    [
        ("pass", "time.sleep(3_600)", "lifespan.py:14", ""),
        (
            "threading.Thread(target=time.sleep, args=(3_600,), name='price poller').start()",
            "asyncio.get_running_loop().run_in_executor(None, time.sleep, 3_600)",
            "",
            "price poller",
        ),
    ],
)
def test_code_that_blocks_the_end_is_named_and_does_not_keep_the_process(  # noqa: PLR0917
    issuer: Path,
    tmp_path: Path,
    lifespan: Path,
    opening: str,
    closing: str,
    place: str,
    thread: str,
) -> None:
    lifespan.write_text(LIFESPAN.format(opening=opening, closing=closing))
    with serve(issuer, tmp_path) as served:
        served.wait_for("gateway.started")
        served.process.send_signal(signal.SIGTERM)
        assert served.process.wait(TIMEOUT_SECONDS) == 1
        forced = served.wait_for("shutdown.forced")
    assert str(forced["waiting_for"]).endswith(place)
    assert thread in str(forced["threads"])


def test_a_gateway_without_standard_streams_serves(issuer: Path, tmp_path: Path) -> None:
    issuer.write_bytes(KEYS)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = f'exec "$0" -m gateway.cli serve --host 127.0.0.1 --port {port} 0>&- 1>&- 2>&-'
    with subprocess.Popen(["sh", "-c", command, sys.executable]) as process:
        try:
            deadline = time.monotonic() + TIMEOUT_SECONDS
            while time.monotonic() < deadline:
                with closing(http.client.HTTPConnection("127.0.0.1", port)) as connection:
                    try:
                        assert get(connection, "/healthz")[0] == 200
                        break
                    except ConnectionRefusedError:
                        time.sleep(0.05)
            files = [Path(f"/proc/{process.pid}/fd/{number}").readlink() for number in range(3)]
            assert files == [Path(os.devnull)] * 3
            process.send_signal(signal.SIGINT)
            assert process.wait(TIMEOUT_SECONDS) == 0
        finally:
            process.kill()
