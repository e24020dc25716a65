"""Runs a simulation in a child process, so that it never holds the event loop of traffic."""

import asyncio
import os
import pickle
import sys

from pydantic import ValidationError

from gateway.ratelimit.simulation import child
from gateway.ratelimit.simulation.child import MAX_SECONDS, OUTCOMES
from gateway.ratelimit.simulation.reproduction import CannotSimulate
from gateway.ratelimit.simulation.task import SimulationOutcome, SimulationTask


async def run_in_child(task: SimulationTask) -> SimulationOutcome:
    """Run a simulation; the child process is killed if the caller is cancelled.

    Raises:
        CannotSimulate: it took too long, or was killed.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        child.__name__,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        # No setting of the gateway, and none of its secrets.
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        async with asyncio.timeout(MAX_SECONDS):
            output, _ = await process.communicate(pickle.dumps(task))
    except TimeoutError:
        raise CannotSimulate(
            f"the simulation takes more than {MAX_SECONDS} s; lower ops.recording_rows to record "
            "less"
        ) from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    try:
        return OUTCOMES.validate_json(output)
    except ValidationError:
        raise CannotSimulate(
            f"the process of the simulation ended with the status {process.returncode}"
        ) from None
