"""Summaries of the rounds of a section: medians with their range, and ratios per round."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True)
class Summary:
    """The median, minimum and maximum over some rounds."""

    median: float
    minimum: float
    maximum: float

    def __str__(self) -> str:
        """Format the median, followed by the range in brackets."""
        return f"{self.median:.3g} ({self.minimum:.3g} to {self.maximum:.3g})"


def summarize(values: Sequence[float]) -> Summary:
    """Summarize one or more values."""
    return Summary(median(values), min(values), max(values))


def summarize_rounds(contender: Mapping[str, Any], figure: str, kind: str = "rounds") -> Summary:
    """Summarize one figure over all rounds of a contender, or over another kind of turns."""
    return summarize([one[figure] for one in contender[kind]])


def compare_rounds(
    one: Mapping[str, Any], other: Mapping[str, Any], figure: str, kind: str = "rounds"
) -> Summary:
    """Summarize the ratio of one figure, round by round: both share the noise of their round."""
    pairs = zip(one[kind], other[kind], strict=True)
    return summarize([a[figure] / b[figure] for a, b in pairs])
