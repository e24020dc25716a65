"""`Explanation`: what would happen to a request, and the rules that lead to it."""

from dataclasses import dataclass, field

from gateway.auth.principal import Principal
from gateway.ratelimit.policy import Policy


@dataclass(frozen=True, slots=True)
class GuardRule:
    """One rule of a route. `is_met` is None for a rule that only a real request can decide.

    `policy` is that of a limit, with the rates that are in force.
    """

    name: str
    text: str
    is_met: bool | None = None
    policy: Policy | None = None


@dataclass(slots=True)
class Explanation:
    """What would happen to a request.

    `status` is that of the response if the gateway itself would respond, and None if the request
    would reach the endpoint of its route. `outcome` is a sentence. `route` is the path of the route
    and `place` its file and line; both are empty without one. `service` and `url` are those of a
    proxied request.
    """

    method: str
    path: str
    route: str = ""
    place: str = ""
    status: int | None = None
    outcome: str = ""
    service: str = ""
    url: str = ""
    caller: Principal | None = None
    rules: list[GuardRule] = field(default_factory=list)


class Ended(Exception):
    """The gateway itself would respond with `status`; the text says why."""

    def __init__(self, status: int, text: str, rule: GuardRule | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.rule = rule
