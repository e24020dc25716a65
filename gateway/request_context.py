"""What is known about one request while it runs, kept in its ASGI scope."""

from dataclasses import dataclass, field
from typing import Self

from starlette.types import Scope

_KEY = "lockgate.exchange"


@dataclass(slots=True)
class RequestContext:
    """One request and its answer: the id, header fields to come, facts for the log line.

    The names of `headers` are in lower case; `timings` are (name, seconds) pairs and leave as
    `Server-Timing`. `facts` must never hold a token, a body or anything else a caller may want
    kept quiet.
    """

    request_id: str = ""
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    facts: dict[str, str | int | float] = field(default_factory=dict)
    timings: list[tuple[str, float]] = field(default_factory=list)

    @classmethod
    def of(cls, scope: Scope) -> Self:
        """The exchange of this scope; one is begun where the middleware did not."""
        found: Self | None = scope.get(_KEY)
        if found is None:
            found = scope[_KEY] = cls()
        return found
