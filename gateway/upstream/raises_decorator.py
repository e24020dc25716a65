"""`@raises(OrderConflict)`: the problems of services that a function of a route passes on."""

from collections.abc import Callable
from typing import TypeVar

from gateway.upstream.problem import UpstreamProblem

F = TypeVar("F")

_RAISES = "_lockgate_raises"


def raises(*problems: type[UpstreamProblem]) -> Callable[[F], F]:
    """Declare the problems that an endpoint, a dependency or a part passes on to the caller.

        @router.post("/orders", dependencies=[requires("orders:write")])
        @raises(OrderConflict)
        async def create_order(new: NewOrder, orders: Upstream[Orders]) -> Order:
            return await orders.place(new)

    OpenAPI lists them with the route. The declaration has no other effect: a problem that is not
    declared is sent all the same, but the test kit reports it. Declarations add up, for example
    those of an endpoint and of the required parts of its composite.

    Raises:
        TypeError: an argument is not a subclass of `UpstreamProblem`.
    """
    for problem in problems:
        if not hasattr(problem, "declaration"):
            raise TypeError(f"raises: {problem!r} is not a subclass of UpstreamProblem")

    def declare(function: F) -> F:
        setattr(function, _RAISES, (*get_raised_problems(function), *problems))
        return function

    return declare


def get_raised_problems(function: object) -> tuple[type[UpstreamProblem], ...]:
    """Return the problems that `raises` declares on a function; none without a declaration."""
    problems: tuple[type[UpstreamProblem], ...] = getattr(function, _RAISES, ())
    return problems
