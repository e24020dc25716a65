"""CPU time, memory and open files of process trees, ended threads included."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.bench.meter import Meter
from tests.bench.process_tree import count_open_files, list_tree, measure_memory, read_cpu_seconds

# Uses 0.1 s of CPU time in a thread that ends, then prints the CPU time of the process.
BURN = """
import subprocess, sys, threading, time
def burn():
    while time.thread_time() < 0.1: pass
thread = threading.Thread(target=burn); thread.start(); thread.join()
child = [subprocess.Popen([sys.executable, "-c", sys.argv[1]])] if sys.argv[1:] else []
print(time.process_time(), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def process_with_child() -> Iterator[tuple[int, float]]:
    """A process with a child: its PID, and the CPU seconds that the two report."""
    arguments = [sys.executable, "-c", BURN, BURN]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        try:
            used = float(process.stdout.readline()) + float(process.stdout.readline())
            yield process.pid, used
        finally:
            process.stdin.close()


def test_ended_threads_and_children_count(process_with_child: tuple[int, float]) -> None:
    pid, used = process_with_child
    assert len(list_tree(pid)) == 2
    assert used > 0.2
    assert read_cpu_seconds(pid) == pytest.approx(used, abs=0.1)


def test_memory_and_open_files_cover_the_whole_tree(process_with_child: tuple[int, float]) -> None:
    pid, _ = process_with_child
    child = list_tree(pid)[1]
    assert measure_memory(pid).rss > measure_memory(child).rss > 1
    assert measure_memory(pid).pss <= measure_memory(pid).rss
    assert count_open_files(pid) > count_open_files(child) >= 3


def test_a_meter_measures_the_window() -> None:
    meter = Meter({"me": os.getpid()})
    meter()
    before = read_cpu_seconds(os.getpid())
    while read_cpu_seconds(os.getpid()) < before + 0.05:
        pass
    within = read_cpu_seconds(os.getpid()) - before
    meter()
    assert within <= meter.seconds("me") < within + 0.05
    assert 0 < meter.share("me") <= 1.5
    with pytest.raises(ValueError, match="unpack"):
        Meter({}).seconds("me")
