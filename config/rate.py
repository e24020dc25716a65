"""What a rate limit says: the words in which `limits.py` and an operator write one."""

import re
from dataclasses import dataclass
from typing import Literal, Self

Per = Literal["user", "service", "tenant", "address"]
WithoutRedis = Literal["local", "deny", "allow"]

UNITS = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400}

_RATE = re.compile(r"(?P<quota>[1-9]\d{0,8})/(?P<many>[1-9]\d{0,4})?(?P<unit>[a-z]+?)s?")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


@dataclass(frozen=True, slots=True)
class Rate:
    """So many requests in any window of so many seconds."""

    quota: int
    window: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read "120/minute" or "10/5minutes".

        Raises:
            ValueError: the text is not a rate; the message says what one looks like.
        """
        match = _RATE.fullmatch(text.strip().lower().replace(" ", ""))
        if match is None or match["unit"] not in UNITS:
            raise ValueError(
                f"{text!r} is not a rate; write a count, a slash and a unit "
                f"({', '.join(UNITS)}), such as 120/minute or 10/5minutes"
            )
        return cls(int(match["quota"]), int(match["many"] or 1) * UNITS[match["unit"]])

    def __str__(self) -> str:
        """The rate as one writes it: "120/minute"."""
        for unit, seconds in reversed(UNITS.items()):
            many, rest = divmod(self.window, seconds)
            if not rest:
                return f"{self.quota}/{unit}" if many == 1 else f"{self.quota}/{many}{unit}s"
        raise AssertionError("a window is a whole number of seconds")


@dataclass(frozen=True, slots=True, init=False)
class RateLimit:
    """One policy: how much, counted for whom, and what to do when Redis cannot count.

    Without `burst` the rate is a ceiling on any window: never more than the quota in it,
    wherever one starts to count. With `burst` it is a steady rate (GCRA) that lets so many
    requests come at once. `shadow` counts and reports but never refuses.

    Raises:
        ValueError: the name, the rate or the burst is not one.
    """

    name: str
    rate: Rate
    per: Per
    without_redis: WithoutRedis
    burst: int | None
    shadow: bool

    def __init__(  # noqa: PLR0913 - one keyword per word of the declaration
        self,
        name: str,
        rate: str | Rate,
        *,
        per: Per = "user",
        without_redis: WithoutRedis = "local",
        burst: int | None = None,
        shadow: bool = False,
    ) -> None:
        if not _NAME.fullmatch(name):
            raise ValueError(
                f"policy name {name!r}: use lower-case letters, digits and underscores"
            )
        if burst is not None and burst < 1:
            raise ValueError(f"policy {name}: burst is {burst}; it must be at least 1")
        put = object.__setattr__
        put(self, "name", name)
        put(self, "rate", Rate.parse(rate) if isinstance(rate, str) else rate)
        put(self, "per", per)
        put(self, "without_redis", without_redis)
        put(self, "burst", burst)
        put(self, "shadow", shadow)
