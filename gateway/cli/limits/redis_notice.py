"""Warns of limits that are not shared now, because Redis does not count."""

from gateway.cli.limits.ops_client import OpsClient
from gateway.cli.limits.ops_refusal import OpsClientError
from gateway.cli.standard_streams import print_error
from gateway.settings.errors import escape


def warn_of_lost_redis(client: OpsClient) -> None:
    """Print a line on standard error if the ops app says that Redis does not count."""
    try:
        redis = client.read_status().redis
    except OpsClientError:
        return  # a warning is all that is lost
    if redis.get("status") == "degraded":
        print_error(
            escape(f"Redis is {redis.get('redis', 'down')}: until it counts again, each gateway ")
            + "process grants its share of a limit, or does what the `without_redis` of the policy "
            "says; see `lockgate limits status`"
        )
