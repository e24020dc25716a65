"""Rate limiting: policies, algorithms, and counters in Redis or in this process."""

from typing import TYPE_CHECKING

from gateway.lazy_exports import load_on_first_use

if TYPE_CHECKING:
    from gateway.ratelimit.concurrency_limit import ConcurrencyLimit
    from gateway.ratelimit.limited_dependency import limited
    from gateway.ratelimit.policy import RateLimit
    from gateway.ratelimit.reservation import Reservation
    from gateway.ratelimit.reserved_dependency import reserved
else:
    __getattr__ = load_on_first_use(
        __name__,
        {
            "ConcurrencyLimit": "concurrency_limit",
            "RateLimit": "policy",
            "Reservation": "reservation",
            "limited": "limited_dependency",
            "reserved": "reserved_dependency",
        },
    )

__all__ = ["ConcurrencyLimit", "RateLimit", "Reservation", "limited", "reserved"]
