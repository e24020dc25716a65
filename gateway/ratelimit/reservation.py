"""`Reservation`: what a request was charged in advance, settled once its cost is known."""

from collections.abc import Callable
from logging import WARNING, getLogger

from gateway.ratelimit.limiter import RateLimiter, Settlement
from gateway.ratelimit.policy_checks import MAX_COST
from gateway.ratelimit.redis.connection import RedisCheckFailed
from gateway.telemetry.log import log_event

log = getLogger("lockgate.ratelimit")


class Reservation:
    """The charges of one request, each of the cost that was reserved.

    A reservation that is never settled stays charged.
    """

    def __init__(
        self, limiter: RateLimiter, settlement: Settlement, is_void: Callable[[], bool]
    ) -> None:
        ...
