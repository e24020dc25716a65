"""The rate-limit policies of the sample application."""

from gateway.ratelimit import RateLimit

DASHBOARDS = RateLimit("dashboards", "120/minute", per="user", without_redis="local")
