"""`SimulationTask`: a simulation that a process of its own runs, and its outcome."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.ratelimit.policy_in_force import PolicyInForce
from gateway.ratelimit.recording.import_file import InvalidRecording, import_recordings
from gateway.ratelimit.recording.recording import Recording
from gateway.ratelimit.simulation.effect import Simulation
from gateway.ratelimit.simulation.reproduction import CannotSimulate
from gateway.ratelimit.simulation.simulate_policies import simulate

MAX_KEYS = 20
"""How many partitions the outcome has by policy."""


@dataclass(frozen=True, slots=True)
class SimulationTask:
    """The exported recordings by the name of their process, and the policies by their names.

    The proposed policies are compared with those in force.
    """

    files: Mapping[str, bytes]
    proposed: Mapping[str, PolicyInForce]
    in_force: Mapping[str, PolicyInForce]


@dataclass(frozen=True, slots=True)
class SimulationOutcome:
    """The result, or the reason why there is none.

    `unreadable` are the processes whose recordings are of another version of Lockgate.
    """

    simulation: Simulation | None
    failure: str
    unreadable: Sequence[str]


def run_task(task: SimulationTask) -> SimulationOutcome:
    """Import the recordings, and simulate."""
    recordings, unreadable = list[Recording](), list[str]()
    for name, file in task.files.items():
        try:
            recordings += import_recordings(file)
        except InvalidRecording:
            unreadable.append(name)
    try:
        simulation = simulate(recordings, task.proposed, task.in_force)
    except CannotSimulate as error:
        return SimulationOutcome(None, str(error), unreadable)
    for effect in simulation.effects.values():
        effect.keep_keys(MAX_KEYS)
    return SimulationOutcome(simulation, "", unreadable)
