"""The load generator and the benchmark services report correct figures."""

import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from math import ceil
from pathlib import Path
from typing import Any

import pytest

from tests.bench.programs import compile_program

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="there is no gcc")

BODY = b'{"fixed": "body"}'


@contextmanager
def run_upstream(tmp_path: Path, *, delay_ms: int) -> Iterator[int]:
    """Run the services program with one service; yield its port."""
    body = tmp_path / "body.json"
    body.write_bytes(BODY)
    arguments = [str(compile_program("upstream")), str(delay_ms), f"users={body}"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout
            yield json.loads(process.stdout.readline())["users"]
        finally:
            process.kill()


@contextmanager
def run_sequential_server(
    response: bytes, *, stall_at: int = -1, stall: float = 0
) -> Iterator[int]:
    """Run a server that serves one connection at a time; it stalls once for `stall` seconds."""

    def serve() -> None:
        request_count = 0
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, suppress(ConnectionError):  # the client has closed the connection
                while connection.recv(65_536):
                    time.sleep(stall if request_count == stall_at else 0)
                    request_count += 1
                    connection.sendall(response)
                    if not response:
                        break

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def run_load(mode: str, port: int, **options: float | Path) -> tuple[list[str], dict[str, Any]]:
    """Run the load generator; return the lines it prints and its report."""
    arguments = [str(compile_program("load")), mode, "--port", str(port)]
    arguments += [word for name, value in options.items() for word in (f"--{name}", str(value))]
    done = subprocess.run(arguments, check=True, capture_output=True, text=True)
    *lines, report = done.stdout.splitlines()
    return lines, json.loads(report)


def make_response(line: str, body: bytes = BODY) -> bytes:
    return f"HTTP/1.1 {line}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


def read_samples_ms(file: Path) -> list[float]:
    return sorted(int(line) / 1000 for line in file.read_text().split())


def test_percentiles_are_exact_nearest_ranks(tmp_path: Path) -> None:
    file = tmp_path / "samples"
    with run_upstream(tmp_path, delay_ms=0) as port:
        lines, report = run_load("closed", port, connections=8, seconds=0.2, samples=file)
    samples = read_samples_ms(file)
    assert lines == ["measuring", "measured"]
    assert len(samples) == report["requests"] > 8
    for name, percent in {"p50": 50, "p90": 90, "p99": 99, "max": 100}.items():
        assert report[name] == samples[ceil(percent * len(samples) / 100) - 1]
    assert report["throughput"] == pytest.approx(len(samples) / 0.2, abs=0.1)


def test_a_latency_counts_from_when_the_request_was_due(tmp_path: Path) -> None:
    """A stall of the server delays all requests that are due meanwhile."""
    file = tmp_path / "samples"
    with run_sequential_server(make_response("200 OK"), stall_at=20, stall=0.3) as port:
        _, report = run_load("rate", port, connections=1, rate=200, seconds=0.5, samples=file)
    assert (report["requests"], report["errors"]) == (100, 0)
    late = [ms for ms in read_samples_ms(file) if ms >= 100]
    assert len(late) >= 40, "200/s for 0.2 s of the 0.3 s"
    assert report["max"] >= 299


def test_each_client_of_a_burst_waits_for_its_own_response(tmp_path: Path) -> None:
    file = tmp_path / "samples"
    with run_upstream(tmp_path, delay_ms=50) as port:
        _, report = run_load("burst", port, connections=20, rounds=2, samples=file)
    assert (report["requests"], report["statuses"]) == (40, {"200": 60}), (
        "the first round is separate"
    )
    assert read_samples_ms(file)[0] >= 50
    assert report["first"]["p50"] >= 50


@pytest.mark.parametrize(
    ("response", "status"),
    [
        (make_response("503 Service Unavailable"), "503"),
        (b"", "0"),
        (b"nonsense\r\n\r\n", "0"),
        (make_response("200 OK") + b"more than was lines", "0"),
    ],
)
def test_anything_but_a_complete_200_is_an_error(response: bytes, status: str) -> None:
    with run_sequential_server(response) as port:
        _, report = run_load("closed", port, connections=1, seconds=0.05)
    assert report["requests"] == 0
    assert report["p50"] is None
    assert report["errors"] == report["statuses"][status] > 0


def test_services_read_requests_in_any_segments(tmp_path: Path) -> None:
    request = b"GET /users/42 HTTP/1.1\r\nHost: users\r\n\r\n"
    with (
        run_upstream(tmp_path, delay_ms=5) as port,
        socket.create_connection(("127.0.0.1", port), timeout=10) as connection,
    ):
        for piece in (request * 2 + request[:10], request[10:-1], request[-1:]):
            connection.sendall(piece)
            time.sleep(0.01)
        received = b""
        while received.count(BODY) < 3:
            received += connection.recv(65_536)
    assert received.count(b"HTTP/1.1 200 OK") == 3
    assert received.endswith(BODY)
