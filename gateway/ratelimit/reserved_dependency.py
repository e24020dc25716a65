"""`reserved(...)`: the FastAPI dependency that charges a request in advance."""

from dataclasses import dataclass

from fastapi import Depends
from fastapi.params import Depends as Dependency
from starlette.requests import HTTPConnection

from gateway.auth.dependencies import authenticate, find_principal
from gateway.ratelimit.limited_dependency import Limited, make_demand, require_admitted
from gateway.ratelimit.limits import Limits
from gateway.ratelimit.policy import RateLimit
from gateway.ratelimit.reservation import Reservation
from gateway.request_context import RequestContext

_RESERVATIONS = "lockgate.reservations"


@dataclass(frozen=True)
class ReserveCost(Limited):
    """The dependency behind `reserved`."""

    async def __call__(self, connection: HTTPConnection) -> Reservation:
        """Reserve the cost of the request under all policies, or refuse it at no cost.

        Raises:
            GatewayError: those of `Limited`.
        """
        context = RequestContext.of(connection.scope)
        reservations: dict[ReserveCost, Reservation]
        reservations = connection.scope.setdefault(_RESERVATIONS, {})
        if self in context.passed_guards:
            return reservations[self]  # it was charged before the body was read
        if self.needs_caller and find_principal(connection) is None:
            await authenticate(connection)
        demands = [make_demand(policy, connection) for policy in self.policies]
        limits: Limits = connection.app.state.resources[Limits]
        reservation = reservations[self] = await limits.reserve(demands)
        require_admitted(reservation.verdict, context)
        return reservation


def reserved(*policies: RateLimit) -> Dependency:
    """Charge the cost that the policies declare, and let the route settle it.

    `tokens: Annotated[Reservation, reserved(TOKENS)]` is a parameter of the route, which calls
    `await tokens.settle(cost)` once it knows the cost. It limits the route as `limited(...)` does.

    Raises:
        TypeError: something other than a rate limit is given.
        ValueError: there is no policy, or one is given twice.
    """
    for policy in policies:
        if not isinstance(policy, RateLimit):
            raise TypeError(
                f"reserved() takes rate limits, each a RateLimit; got {policy!r:.60}. A "
                "ConcurrencyLimit has no cost: put it in limited()"
            )
    names = [policy.name for policy in policies]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"reserved() takes one or more policies, each once; got {names}")
    dependency: Dependency = Depends(ReserveCost(policies))
    return dependency
