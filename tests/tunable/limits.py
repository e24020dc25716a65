"""The limits of the pages, as the how-to pages declare them."""

from gateway.ratelimit import RateLimit

DASHBOARDS = RateLimit(
    "dashboards",
    "120/minute",
    per="user",
    without_redis="local",
    tiers={"free": "60/minute", "pro": "600/minute"},
    tier_claim="plan",
)
SEARCHES = RateLimit("searches", "30/minute", per="user", without_redis="local", shadow=True)
