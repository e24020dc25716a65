"""CPU time and memory of processes, their threads that ended and their children."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.bench.meter import Meter
from tests.bench.process_tree import cpu_seconds, memory, open_files, tree

# Uses up 0.1 s in a thread that ends, then tells how much CPU time it has had in all.
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
def family() -> Iterator[tuple[int, float]]:
    """A process with a child; its id, and the CPU time that the two say they have had."""
    words = [sys.executable, "-c", BURN, BURN]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        try:
            used = float(process.stdout.readline()) + float(process.stdout.readline())
            yield process.pid, used
        finally:
            process.stdin.close()


def test_threads_that_ended_and_children_count(family: tuple[int, float]) -> None:
    pid, used = family
    assert len(tree(pid)) == 2
    assert used > 0.2
    assert cpu_seconds(pid) == pytest.approx(used, abs=0.1)


def test_memory_and_files_are_those_of_the_whole_tree(family: tuple[int, float]) -> None:
    pid, _ = family
    child = tree(pid)[1]
    assert memory(pid).rss > memory(child).rss > 1
    assert memory(pid).pss <= memory(pid).rss
    assert open_files(pid) > open_files(child) >= 3


def test_a_meter_tells_what_was_used_between_its_edges() -> None:
    meter = Meter({"me": os.getpid()})
    meter()
    before = cpu_seconds(os.getpid())
    while cpu_seconds(os.getpid()) < before + 0.05:
        pass
    within = cpu_seconds(os.getpid()) - before
    meter()
    assert within <= meter.seconds("me") < within + 0.05
    assert 0 < meter.share("me") <= 1.5
    with pytest.raises(ValueError, match="unpack"):
        Meter({}).seconds("me")
