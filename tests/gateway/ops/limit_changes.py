"""Changes through the ops API, and the rate that is in force after them."""

from typing import Any

import httpx

from gateway.ratelimit.limits import Limits
from gateway.ratelimit.policy import RateLimit
from tests.gateway.ops.ops_server import POLICIES, OpsServer

Document = dict[str, Any]


async def change(
    operator: httpx.AsyncClient,
    fields: Document,
    *,
    version: int,
    method: str = "PATCH",
    policy: str = "dashboards",
) -> httpx.Response:
    return await operator.request(
        method,
        f"/limits/{policy}",
        json={"reason": "load", **fields},
        headers={"If-Match": f'"{version}"'},
    )


def get_rate(ops: OpsServer, policy: str = "dashboards") -> str:
    """Return the rate by which the gateway counts now."""
    limits: Limits = ops.gateway[Limits]
    in_force = limits.policies.get(POLICIES[policy]).policy
    assert isinstance(in_force, RateLimit)
    return ", ".join(map(str, in_force.rates))
