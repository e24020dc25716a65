"""`Rate`: a number of requests per window, written as `120/minute` or `10/5minutes`."""

import re
from dataclasses import dataclass
from typing import Self

UNITS = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400}

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
