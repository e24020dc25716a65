"""The load generator and the services that it is tried on: figures that could lie do not."""

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

from tests.bench.programs import program

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="there is no gcc")

BODY = b'{"fixed": "body"}'


@contextmanager
def upstream(tmp_path: Path, *, delay_ms: int) -> Iterator[int]:
    """The program that plays services, with one service; gives its port."""
    body = tmp_path / "body.json"
    body.write_bytes(BODY)
    words = [str(program("upstream")), str(delay_ms), f"users={body}"]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout
            yield json.loads(process.stdout.readline())["users"]
        finally:
            process.kill()


@contextmanager
def one_at_a_time(answer: bytes, *, stall_at: int = -1, stall: float = 0) -> Iterator[int]:
    """A server of one connection after the other; before one answer it stalls so many seconds."""

    def serve() -> None:
        asked = 0
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, suppress(ConnectionError):  # of a client that has seen enough
                while connection.recv(65_536):
                    time.sleep(stall if asked == stall_at else 0)
                    asked += 1
                    connection.sendall(answer)
                    if not answer:
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
    """What the load announces, and what it reports."""
    words = [str(program("load")), mode, "--port", str(port)]
    words += [word for name, value in options.items() for word in (f"--{name}", str(value))]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    *announced, report = done.stdout.splitlines()
    return announced, json.loads(report)


def with_status(line: str, body: bytes = BODY) -> bytes:
    return f"HTTP/1.1 {line}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


def samples_ms(file: Path) -> list[float]:
    return sorted(int(line) / 1000 for line in file.read_text().split())


def test_percentiles_are_the_nearest_ranks_of_what_was_measured(tmp_path: Path) -> None:
    file = tmp_path / "samples"
    with upstream(tmp_path, delay_ms=0) as port:
        announced, found = run_load("closed", port, connections=8, seconds=0.2, samples=file)
    samples = samples_ms(file)
    assert announced == ["measuring", "measured"]
    assert len(samples) == found["requests"] > 8
    for name, percent in {"p50": 50, "p90": 90, "p99": 99, "max": 100}.items():
        assert found[name] == samples[ceil(percent * len(samples) / 100) - 1]
    assert found["throughput"] == pytest.approx(len(samples) / 0.2, abs=0.1)


def test_a_request_that_had_to_wait_counts_from_when_it_was_due(tmp_path: Path) -> None:
    """A server that stalls once makes one slow answer, and late ones of all due meanwhile."""
    file = tmp_path / "samples"
    with one_at_a_time(with_status("200 OK"), stall_at=20, stall=0.3) as port:
        _, found = run_load("rate", port, connections=1, rate=200, seconds=0.5, samples=file)
    assert (found["requests"], found["errors"]) == (100, 0)
    late = [ms for ms in samples_ms(file) if ms >= 100]
    assert len(late) >= 40, "200/s for 0.2 s of the 0.3 s"
    assert found["max"] >= 299


def test_every_client_of_a_round_waits_for_its_own_answer(tmp_path: Path) -> None:
    file = tmp_path / "samples"
    with upstream(tmp_path, delay_ms=50) as port:
        _, found = run_load("burst", port, connections=20, rounds=2, samples=file)
    assert (found["requests"], found["statuses"]) == (40, {"200": 60}), "the first round is apart"
    assert samples_ms(file)[0] >= 50
    assert found["first"]["p50"] >= 50


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (with_status("503 Service Unavailable"), "503"),
        (b"", "0"),
        (b"nonsense\r\n\r\n", "0"),
        (with_status("200 OK") + b"more than was announced", "0"),
    ],
)
def test_what_is_not_a_whole_200_is_an_error(answer: bytes, status: str) -> None:
    with one_at_a_time(answer) as port:
        _, found = run_load("closed", port, connections=1, seconds=0.05)
    assert found["requests"] == 0
    assert found["p50"] is None
    assert found["errors"] == found["statuses"][status] > 0


def test_services_answer_what_comes_in_one_piece_and_what_comes_in_many(tmp_path: Path) -> None:
    request = b"GET /users/42 HTTP/1.1\r\nHost: users\r\n\r\n"
    with (
        upstream(tmp_path, delay_ms=5) as port,
        socket.create_connection(("127.0.0.1", port), timeout=10) as connection,
    ):
        for piece in (request * 2 + request[:10], request[10:-1], request[-1:]):
            connection.sendall(piece)
            time.sleep(0.01)
        answers = b""
        while answers.count(BODY) < 3:
            answers += connection.recv(65_536)
    assert answers.count(b"HTTP/1.1 200 OK") == 3
    assert answers.endswith(BODY)
