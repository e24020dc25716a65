"""Which core runs what: the subject has one to itself, all that serves the test has another."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

_CORES = sorted(os.sched_getaffinity(0))

SUBJECT = {_CORES[0]}
REST = {_CORES[-1]}


@contextmanager
def on(cores: set[int]) -> Iterator[None]:
    """What is started in the block runs on these cores for all its life, children included."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
