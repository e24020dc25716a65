"""An ops app on a real socket, for tests of its routes and of its clients.

It has three policies, a database in a file, and counts in memory: all of it is real, but no gateway
serves requests. `python -m tests.gateway.ops.ops_server` serves it on port 9000, with traffic, and
prints a token.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import HttpUrl

from gateway.auth.verifier import TokenVerifier, open_verifier
from gateway.fakes.identity_endpoints import AUDIENCE, ISSUER
from gateway.fakes.identity_provider import DevelopmentIssuer
from gateway.open_clients import OpenService, OpenServices
from gateway.ops.open_ops import open_ops
from gateway.ops.ops_scopes import READ, WRITE
from gateway.ratelimit.concurrency_limit import ConcurrencyLimit
from gateway.ratelimit.limits import Demand, Limits
from gateway.ratelimit.live.open_live_limits import open_live_limits
from gateway.ratelimit.live.write_limit import change_limit
from gateway.ratelimit.open_limits import open_limits
from gateway.ratelimit.partition import parse_key
from gateway.ratelimit.policy import Policy, RateLimit
from gateway.request_context import RequestContext
from gateway.resources import Resources
from gateway.revocation.open_revocations import open_revocations
from gateway.settings.schema import Issuer, Ops, Service, Settings
from gateway.storage.journal import Author
from gateway.storage.open_storage import Storage, open_storage
from gateway.transport.transport import Transport
from tests.databases import create_file

OPS_AUDIENCE = "lockgate-ops"

POLICIES: dict[str, Policy] = {
    policy.name: policy
    for policy in (
        RateLimit("dashboards", "120/minute"),
        RateLimit("partners", "10/second, 100/minute", per="service", burst=5),
        RateLimit("pages", "600/minute", per="address", shadow=True),
        ConcurrencyLimit("chats", 2),
    )
}


@cache
def get_signer() -> DevelopmentIssuer:
    """Return one issuer for the whole test run, because generating a key is slow."""
    return DevelopmentIssuer()


@dataclass(frozen=True, slots=True)
class OpsServer:
    """The running ops app, and the resources of the gateway beside it."""

    url: str
    gateway: Resources

    def token(self, *scopes: str, audience: str = OPS_AUDIENCE, subject: str = "operator") -> str:
        """Sign a token of an operator."""
        return get_signer().issue_token(subject, scopes=scopes, audience=audience)

    async def send_requests(
        self, caller: str, count: int, policy: str = "dashboards", kind: str = "user"
    ) -> int:
        """Count requests of a caller as a route would; return how many are admitted."""
        return await send_requests(self.gateway, caller, count, policy, kind)

    async def store_document(self, document: Mapping[str, object], policy: str) -> None:
        """Store the first live document of a policy, also one that has ended."""
        storage: Storage = self.gateway[Storage]
        write = partial(
            change_limit,
            policy=policy,
            document=json.dumps(document),
            if_version=0,
            author=Author("operator", "load"),
        )
        await storage.database.write(write)
        await storage.feed.refresh()

    @asynccontextmanager
    async def hold_leases(self, user: str, count: int, policy: str) -> AsyncIterator[None]:
        """Let a user have so many open requests for the length of the block."""
        limits: Limits = self.gateway[Limits]
        leases = [limits.leases.open(RequestContext()) for _ in range(count)]
        demand = _make_demand(policy, user, "user")
        for lease in leases:
            await limits.enforce([demand], lease)
        yield
        for lease in leases:
            lease.release()


def _make_demand(policy: str, caller: str, kind: str) -> Demand:
    declared = POLICIES[policy]
    return Demand(declared, parse_key(declared, f"{kind}:{caller}").make_partition(ISSUER))


async def send_requests(
    gateway: Resources, caller: str, count: int, policy: str = "dashboards", kind: str = "user"
) -> int:
    """Count requests of a caller as a route would; return how many are admitted."""
    limits: Limits = gateway[Limits]
    demand = _make_demand(policy, caller, kind)
    return sum([(await limits.enforce([demand])).admitted for _ in range(count)])


@contextmanager
def make_settings(*, has_database: bool = True) -> Iterator[Settings]:
    """Make settings with an issuer and a database in a folder that the end of the block deletes."""
    with TemporaryDirectory() as folder:
        keys = Path(folder, "jwks.json")
        keys.write_text(json.dumps(get_signer().export_jwks()))
        issuer = Issuer(issuer=ISSUER, audience=AUDIENCE, jwks_file=keys)
        database = create_file(Path(folder)) if has_database else None
        yield Settings(
            issuers=(issuer,), ops=Ops(port=0, audience=OPS_AUDIENCE), database_url=database
        )


@asynccontextmanager
async def open_gateway(settings: Settings) -> AsyncIterator[Resources]:
    """Open what the gateway beside the ops app would have open."""
    resources = Resources()
    async with AsyncExitStack() as stack:
        transport = await stack.enter_async_context(Transport())
        service = OpenService(Service(url=HttpUrl("http://orders.invalid")), transport)
        resources[OpenServices] = OpenServices(orders=service)
        await stack.enter_async_context(open_storage(settings, resources))
        opening = open_verifier(settings.issuers, settings.tokens)
        verifier = resources[TokenVerifier] = await stack.enter_async_context(opening)
        open_revocations(settings, resources, verifier)
        await stack.enter_async_context(open_limits(settings, POLICIES, resources))
        await stack.enter_async_context(open_live_limits(settings, POLICIES, resources))
        if Storage in resources:
            await resources[Storage].feed.refresh()
        yield resources


@asynccontextmanager
async def run_ops(settings: Settings) -> AsyncIterator[OpsServer]:
    """Serve the ops app beside a gateway."""
    async with open_gateway(settings) as resources, open_ops(settings, resources) as server:
        assert server is not None
        yield OpsServer(server.url, resources)


async def _serve_until_interrupted(settings: Settings) -> None:
    settings = settings.model_copy(update={"ops": settings.ops.model_copy(update={"port": 9_000})})
    async with run_ops(settings) as ops:
        print(f"LOCKGATE_OPS_URL={ops.url} LOCKGATE_OPS_TOKEN={ops.token(READ, WRITE)}", flush=True)
        while True:
            for user in ("42", "7", "7", "7"):
                await ops.send_requests(user, 2)
            await asyncio.sleep(0.5)


if __name__ == "__main__":
    with make_settings() as _settings:
        asyncio.run(_serve_until_interrupted(_settings))
