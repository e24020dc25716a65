"""How much is measured: what the command line leaves open to a section."""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.bench.contenders import CONTENDERS, Contender

ROUNDS = 10


@dataclass(frozen=True, slots=True)
class Plan:
    """Who takes part, how often and for how long; `whole` results may go into the docs."""

    contenders: Sequence[str] = tuple(CONTENDERS)
    rounds: int = ROUNDS
    seconds: float = 5.0
    minutes: float = 30.0
    quick: bool = False

    @property
    def whole(self) -> bool:
        """Whether nobody is left out and nothing is shortened."""
        everybody = set(self.contenders) == set(CONTENDERS)
        return everybody and not self.quick and self.rounds >= ROUNDS and self.minutes >= 30

    def of(self, names: Sequence[str]) -> list[Contender]:
        """Those of these that take part, in this order."""
        return [CONTENDERS[name] for name in names if name in self.contenders]


def say(text: str) -> None:
    """Tell whoever waits what is happening."""
    print(text, flush=True)
