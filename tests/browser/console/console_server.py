"""The ops app with the console and living traffic, on a real socket.

`python -m tests.browser.console.console_server` prints the address of the console and a token.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.auth.verifier import TokenVerifier, open_verifier
from gateway.fakes.identity_endpoints import AUDIENCE, ISSUER
from gateway.ops.interfaces import CallerLookup, LimitStore, Traffic
from gateway.ops.open_ops import open_ops
from gateway.ops.scopes import READ, WRITE
from gateway.resources import Resources
from gateway.settings.schema import Issuer, Ops, Settings
from tests.browser.console.living_traffic import LivingCallers, LivingTraffic
from tests.gateway.ops.memory_sources import MemoryLimits, declare
from tests.gateway.ops.ops_server import OPS_AUDIENCE, OpsServer, write_keys

DECLARED = {
    "dashboards": declare("120/minute"),
    "partners": declare("10/second, 300/minute", per="service", burst=20),
    "chat": declare(
        "20/minute", tiers={"free": "20/minute", "pro": "90/minute"}, tier_claim="plan"
    ),
    "search": declare("60/minute", per="address", shadow=True),
    "exports": declare(None, limit=4, per="tenant"),
}
HOSTILE_CALLER = "<img src=x onerror=alert(1)>"
CALLERS = (*(f"user {it}" for it in (42, 7, 1009, 311, 58, 2764, 90, 15)), HOSTILE_CALLER)


@asynccontextmanager
async def serve_console(
    port: int = 0, limits: MemoryLimits | None = None
) -> AsyncIterator[OpsServer]:
    """Serve the ops app with living traffic; `limits` may be of an earlier one."""
    with write_keys() as keys:
        issuer = Issuer(issuer=ISSUER, audience=AUDIENCE, jwks_file=keys)
        settings = Settings(issuers=(issuer,), ops=Ops(port=port, audience=OPS_AUDIENCE))
        resources = Resources()
        store = resources[LimitStore] = limits or MemoryLimits(DECLARED)
        traffic = resources[Traffic] = LivingTraffic(store, CALLERS)
        resources[CallerLookup] = LivingCallers(store, traffic)
        async with open_verifier(settings.issuers, settings.tokens) as verifier:
            resources[TokenVerifier] = verifier
            async with open_ops(settings, resources) as server:
                yield OpsServer(server.url, resources)


async def _serve_until_interrupted() -> None:
    async with serve_console() as ops:
        print(f"{ops.url}/\n{ops.token(READ, WRITE)}", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve_until_interrupted())
