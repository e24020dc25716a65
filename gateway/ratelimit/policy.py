"""`RateLimit`: the declaration of one rate-limit policy."""

import re
from dataclasses import dataclass
from typing import Literal

from gateway.settings.rate import Rate

Per = Literal["user", "service", "tenant", "address"]
WithoutRedis = Literal["local", "deny", "allow"]

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


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
