"""`plan`: whether the policies of the code would refuse more of the recorded requests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.ratelimit.policy_in_force import PolicyInForce
from gateway.ratelimit.recording.recording import Recording
from gateway.ratelimit.simulation.effect import Simulation
from gateway.ratelimit.simulation.simulate_policies import simulate


@dataclass(frozen=True, slots=True)
class Plan:
    """The effect of all policies together, and whether it may be deployed."""

    simulation: Simulation
    max_newly_refused: int

    @property
    def is_accepted(self) -> bool:
        """Whether no more requests are newly refused than may be."""
        return self.simulation.newly_refused <= self.max_newly_refused


def plan(
    recordings: Sequence[Recording],
    policies: Mapping[str, PolicyInForce],
    max_newly_refused: int,
) -> Plan:
    """Simulate all policies at once. It blocks; it is for a program of its own.

    Raises:
        CannotReproduce, CannotSimulate: see `simulate`.
    """
    simulation = simulate(recordings, policies)
    return Plan(simulation, max_newly_refused)
