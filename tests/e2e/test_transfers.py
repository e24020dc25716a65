"""Large bodies and events, between the client and the service of proofs and benchmarks."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.e2e.byte_service import serve_bytes
from tests.e2e.process_memory import read_peak_memory, reset_peak_memory
from tests.e2e.transfers import PIECE, Target, TransferFailed, download, time_events, upload


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The port of the service, here without a proxy in front of it."""
    with serve_bytes() as port:
        yield port


@pytest.mark.parametrize("size", [0, 1, PIECE, 3 * PIECE + 7])
def test_bodies_of_any_size_pass_both_ways(port: int, size: int) -> None:
    download(Target(port, f"/bytes/{size}"), size)
    upload(Target(port, "/bytes"), size)


def test_a_body_of_another_size_is_no_result(port: int) -> None:
    with pytest.raises(TransferFailed, match="Content-Length: 5"):
        download(Target(port, "/bytes/4"), 5)


def test_a_refusal_is_no_result(port: int) -> None:
    with pytest.raises(TransferFailed, match="404 Not Found"):
        download(Target(port, "/nothing"), 5)


def test_a_connection_that_ends_is_no_result() -> None:
    with serve_bytes() as unused:
        pass
    with pytest.raises(TransferFailed):
        upload(Target(unused, "/bytes"), 5)


def test_each_event_has_its_delay(port: int) -> None:
    delays = time_events(Target(port, "/events/3"), 3)
    assert len(delays) == 3
    assert all(0 < delay < 1_000 for delay in delays)


def test_a_stream_with_too_few_events_is_no_result(port: int) -> None:
    with pytest.raises(TransferFailed, match="after 2 of 3 events"):
        time_events(Target(port, "/events/2?close"), 3)


ALLOCATE_AND_FREE = """
block = b"x" * (64 << 20)
print(flush=True)
input()
del block
print(flush=True)
input()
"""


def test_the_peak_of_memory_begins_again() -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", ALLOCATE_AND_FREE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdout.readline()
        assert read_peak_memory(child.pid) > 64
        print(file=child.stdin, flush=True)
        child.stdout.readline()
        assert read_peak_memory(child.pid) > 64
        reset_peak_memory(child.pid)
        assert read_peak_memory(child.pid) < 64
        print(file=child.stdin, flush=True)
