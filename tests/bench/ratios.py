"""What the rounds of a section come to: medians with their spread, and ratios of neighbours."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some rounds, the least and the most."""

    median: float
    least: float
    most: float

    def __str__(self) -> str:
        """The median, and in brackets from where to where the rounds went."""
        return f"{self.median:.3g} ({self.least:.3g} to {self.most:.3g})"


def spread(values: Sequence[float]) -> Spread:
    """Of at least one value."""
    return Spread(median(values), min(values), max(values))


def over_rounds(contender: Mapping[str, Any], figure: str) -> Spread:
    """A figure of every round of a contender."""
    return spread([one[figure] for one in contender["rounds"]])


def ratio(one: Mapping[str, Any], other: Mapping[str, Any], figure: str) -> Spread:
    """A figure of one over that of the other, round by round: neighbours share their noise."""
    pairs = zip(one["rounds"], other["rounds"], strict=True)
    return spread([a[figure] / b[figure] for a, b in pairs])
