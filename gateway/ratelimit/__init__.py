"""Rate limiting: policies, algorithms, and counters in Redis or in this process."""

from gateway.ratelimit.dependency import limited
from gateway.ratelimit.policy import RateLimit

__all__ = ["RateLimit", "limited"]
