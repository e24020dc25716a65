"""Every rate-limit policy of the product, on one screen."""

from config.rate import RateLimit

DASHBOARDS = RateLimit("dashboards", "120/minute", per="user", without_redis="local")
STOREFRONTS = RateLimit("storefronts", "240/minute", per="user", without_redis="local")


def policies() -> dict[str, RateLimit]:
    """Every policy declared above, by name."""
    found = [value for value in globals().values() if isinstance(value, RateLimit)]
    return {policy.name: policy for policy in found}
