"""The plan of a run: the contenders, and the number and duration of measurements."""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.bench.contenders import CONTENDERS, Contender
from tests.bench.proxies import PROXIES

ROUNDS = 10

ALL_CONTENDERS = tuple(dict.fromkeys((*CONTENDERS, *PROXIES)))


@dataclass(frozen=True, slots=True)
class Plan:
    """The contenders, rounds and durations; results of a complete plan go into the docs."""

    contenders: Sequence[str] = ALL_CONTENDERS
    rounds: int = ROUNDS
    seconds: float = 5.0
    minutes: float = 30.0
    quick: bool = False

    @property
    def is_complete(self) -> bool:
        """Whether the plan has all contenders and full durations."""
        has_all = set(self.contenders) == set(ALL_CONTENDERS)
        return has_all and not self.quick and self.rounds >= ROUNDS and self.minutes >= 30

    def select(self, names: Sequence[str]) -> list[Contender]:
        """Return the contenders of `names` that take part, in this order."""
        return [CONTENDERS[name] for name in names if name in self.contenders]


def log(text: str) -> None:
    """Print progress at once."""
    print(text, flush=True)
