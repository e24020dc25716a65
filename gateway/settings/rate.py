"""`Rate`: a number of requests per window, written as `120/minute` or `10/5minutes`.

Several rates in one text are separated by commas: `10/second, 120/minute`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

UNITS = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400}

MAX_WINDOWS = 5
"""The most rates that one text may have."""

_RATE = re.compile(r"(?P<quota>[1-9]\d{0,8})/(?P<multiple>[1-9]\d{0,4})?(?P<unit>[a-z]+?)s?")


@dataclass(frozen=True, slots=True)
class Rate:
    """`quota` requests in any window of `window` seconds."""

    quota: int
    window: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a rate such as "120/minute" or "10/5minutes".

        Raises:
            ValueError: the text is not a rate. The message gives examples.
        """
        match = _RATE.fullmatch(text.strip().lower().replace(" ", ""))
        if match is None or match["unit"] not in UNITS:
            raise ValueError(
                f"{text!r} is not a rate; write a count, a slash and a unit "
                f"({', '.join(UNITS)}), such as 120/minute or 10/5minutes"
                + "; the count is at least 1"
                * text.strip().startswith("0")
            )
        return cls(int(match["quota"]), int(match["multiple"] or 1) * UNITS[match["unit"]])

    def __str__(self) -> str:
        """Format the rate as `parse` reads it: "120/minute"."""
        for unit, seconds in reversed(UNITS.items()):
            multiple, rest = divmod(self.window, seconds)
            if not rest:
                return (
                    f"{self.quota}/{unit}" if multiple == 1 else f"{self.quota}/{multiple}{unit}s"
                )
        raise AssertionError("a window is a whole number of seconds")


def parse_rates(text: str) -> tuple[Rate, ...]:
    """Parse one or several rates.

    Raises:
        ValueError: a part of the text is not a rate, or there are too many.
    """
    parts = text.split(",")
    if len(parts) > MAX_WINDOWS:
        raise ValueError(f"{text!r:.100} has {len(parts)} rates; at most {MAX_WINDOWS} are counted")
    return tuple(Rate.parse(part.strip()) for part in parts)


def format_rates(rates: Rate | Iterable[Rate]) -> str:
    """Format one or several rates as `parse_rates` reads them."""
    return str(rates) if isinstance(rates, Rate) else ", ".join(map(str, rates))
