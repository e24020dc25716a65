"""The program of the child process: reads a task from stdin, writes its outcome to stdout.

It has bounds of its own, so that it ends even if its parent is killed.
"""

import os
import pickle
import resource
import sys

from pydantic import TypeAdapter

from gateway.ratelimit.simulation.task import SimulationOutcome, SimulationTask, run_task

MAX_SECONDS = 60
"""The time of one simulation."""

MAX_MEMORY_BYTES = 2 * 2**30

OUTCOMES = TypeAdapter(SimulationOutcome)

_NICENESS = 10  # traffic comes first


def main() -> None:
    """Run one simulation."""
    os.nice(_NICENESS)
    for limit, most in (
        (resource.RLIMIT_CPU, MAX_SECONDS),
        (resource.RLIMIT_AS, MAX_MEMORY_BYTES),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (most, most))
    # Only the parent process can write to this pipe.
    task: SimulationTask = pickle.loads(sys.stdin.buffer.read())  # noqa: S301
    try:
        outcome = run_task(task)
    except MemoryError:
        failure = (
            f"the simulation needs more than {MAX_MEMORY_BYTES} bytes of memory; lower "
            "ops.recording_rows to record less"
        )
        outcome = SimulationOutcome(None, failure, [])
    sys.stdout.buffer.write(OUTCOMES.dump_json(outcome))


if __name__ == "__main__":
    main()
