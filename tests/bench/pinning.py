"""CPU pinning: the contender has a core to itself, everything else shares another."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

_CORES = sorted(os.sched_getaffinity(0))

CONTENDER_CORE = {_CORES[0]}
OTHER_CORE = {_CORES[-1]}


@contextmanager
def pin_to(cores: set[int]) -> Iterator[None]:
    """Pin processes that are started in the block, and their children, to these cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
