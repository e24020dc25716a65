"""`Reservation`: what a request was charged in advance, settled once its cost is known."""

import asyncio
from collections.abc import Sequence
from enum import Enum
from logging import WARNING, getLogger

from gateway.ratelimit.limiter import (
    Charge,
    ChargeSettler,
    RedisCheckFailed,
    Settlement,
    Verdict,
)
from gateway.ratelimit.policy_checks import MAX_COST
from gateway.telemetry.log import log_event

log = getLogger("lockgate.ratelimit")


class ReservationState(Enum):
    """The states of a reservation: pending until the verdict, then refused, or open and settled."""

    PENDING = "pending"
    REFUSED = "refused"
    OPEN = "open"
    SETTLED = "settled"


class Reservation:
    """The charges of one request, each of the cost that was reserved; `settle` corrects them once.

    A reservation that is never settled stays charged.
    """

    # Invariants:
    # - The states follow each other as PENDING, OPEN, SETTLED, or as PENDING, REFUSED. A caller of
    #   `Limits.reserve` never sees PENDING.
    # - `_before` was marked before the check. `verdict` is set with the end of PENDING.
    # - `_charges` are what was checked while PENDING, and later what was charged.
    # - `settle` leaves OPEN before it waits, so that no two calls correct the same charges.

    __slots__ = ("_before", "_charges", "_limiter", "state", "verdict")

    lease_id = ""

    verdict: Verdict

    def __init__(self, limiter: ChargeSettler) -> None:
        self.state = ReservationState.PENDING
        self._limiter = limiter
        self._before = limiter.mark()
        self._charges: Sequence[Charge] = ()

    def __repr__(self) -> str:
        reserved = ", ".join(f"{it.cost} of {it.rule.label}" for it in self._charges)
        return f"<Reservation {self.state.value}, {reserved or 'nothing'}>"

    def take(self, charges: Sequence[Charge]) -> None:
        """Take the charges, before they are checked."""
        self._charges = charges

    def accept(self, verdict: Verdict) -> None:
        """Take the verdict, which says what was charged: nothing if the request was refused."""
        self.verdict = verdict
        self.state = ReservationState.OPEN if verdict.admitted else ReservationState.REFUSED
        self._charges = verdict.select_charged(self._charges) if verdict.admitted else ()

    async def settle(self, cost: int) -> None:
        """Charge what the request has cost under each policy, instead of what was reserved.

        The unused part is given back at once. A cost in excess of the reserve is charged, whether
        it fits or not. A caller that is cancelled meanwhile has settled nevertheless. If Redis does
        not respond, that is logged, and the reserve stays charged.

        Raises:
            TypeError, ValueError: the cost is no whole number of at least 0.
            RuntimeError: it has been settled before, or the request was refused.
        """
        _check(cost)
        if self.state is not ReservationState.OPEN:
            is_settled = self.state is ReservationState.SETTLED
            reason = "settled before" if is_settled else "refused, and charged nothing"
            raise RuntimeError(f"the reservation was {reason}; settle one that is open, once")
        self.state = ReservationState.SETTLED
        differences = [(it, cost - it.cost) for it in self._charges if cost != it.cost]
        try:
            sent = self._limiter.settle(Settlement(differences, self._before, self.verdict))
            if sent is not None:
                await asyncio.shield(sent)
        except RedisCheckFailed as error:
            policies = ",".join(dict.fromkeys(charge.rule.policy for charge, _ in differences))
            log_event(
                log, "limits.settle_failed", WARNING, policies=policies, reason=str(error)[:200]
            )


def _check(cost: object) -> None:
    if not isinstance(cost, int) or isinstance(cost, bool):
        raise TypeError(f"the cost of a request is {cost!r:.60}; it must be a whole number")
    if not 0 <= cost <= MAX_COST:
        raise ValueError(
            f"the cost of a request is {cost}; it must be at least 0 and at most {MAX_COST}"
        )
