"""The shop's rate-limit policies."""

from gateway.ratelimit import RateLimit

DASHBOARDS = RateLimit("dashboards", "120/minute", per="user", without_redis="local")
STOREFRONTS = RateLimit("storefronts", "240/minute", per="user", without_redis="local")
PARTNERS = RateLimit("partners", "600/minute", per="user", without_redis="local")
