"""Rate limiting: policies, algorithms, and counters in Redis or in this process."""

from gateway.ratelimit.concurrency_limit import ConcurrencyLimit
from gateway.ratelimit.limited import limited
from gateway.ratelimit.policy import RateLimit
from gateway.ratelimit.reservation import Reservation
from gateway.ratelimit.reserved import reserved

__all__ = ["ConcurrencyLimit", "RateLimit", "Reservation", "limited", "reserved"]
