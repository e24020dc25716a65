"""A limit that is never reached: its count is in Redis while there is one."""

from gateway.ratelimit import RateLimit

REQUESTS = RateLimit("requests", "1000000/minute", per="user", without_redis="local")
