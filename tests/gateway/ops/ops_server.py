"""An ops app on a real socket, with its sources in memory: for tests of its routes and clients.

`python -m tests.gateway.ops.ops_server` serves it on port 9000 and prints a token.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from gateway.auth.verifier import TokenVerifier, open_verifier
from gateway.fakes.identity_endpoints import AUDIENCE, ISSUER
from gateway.fakes.identity_provider import DevelopmentIssuer
from gateway.ops.interfaces import CallerLookup, LimitStore, Traffic
from gateway.ops.open_ops import open_ops
from gateway.ops.scopes import READ, WRITE
from gateway.resources import Resources
from gateway.settings.schema import Issuer, Ops, Settings
from tests.gateway.ops.memory_sources import MemoryCallers, MemoryLimits, MemoryTraffic

OPS_AUDIENCE = "lockgate-ops"


@cache
def get_signer() -> DevelopmentIssuer:
    """Return one issuer for the whole test run, because generating a key is slow."""
    return DevelopmentIssuer()


@dataclass(frozen=True, slots=True)
class OpsServer:
    """The running ops app."""

    url: str
    resources: Resources

    def token(self, *scopes: str, audience: str = OPS_AUDIENCE, subject: str = "operator") -> str:
        """Sign a token of an operator."""
        return get_signer().issue_token(subject, scopes=scopes, audience=audience)


@contextmanager
def write_keys() -> Iterator[Path]:
    """Write the public keys of the signer to a file, for the length of the block."""
    with TemporaryDirectory() as folder:
        keys = Path(folder, "jwks.json")
        keys.write_text(json.dumps(get_signer().export_jwks()))
        yield keys


@asynccontextmanager
async def serve_ops(port: int = 0) -> AsyncIterator[OpsServer]:
    """Serve the ops app with sources in memory."""
    with write_keys() as keys:
        issuer = Issuer(issuer=ISSUER, audience=AUDIENCE, jwks_file=keys)
        settings = Settings(issuers=(issuer,), ops=Ops(port=port, audience=OPS_AUDIENCE))
        resources = Resources()
        limits = resources[LimitStore] = MemoryLimits()
        resources[CallerLookup] = MemoryCallers(limits)
        resources[Traffic] = MemoryTraffic()
        async with open_verifier(settings.issuers, settings.tokens) as verifier:
            resources[TokenVerifier] = verifier
            async with open_ops(settings, resources) as server:
                yield OpsServer(server.url, resources)


async def _serve_until_interrupted() -> None:
    async with serve_ops(9_000) as ops:
        print(f"LOCKGATE_OPS_URL={ops.url} LOCKGATE_OPS_TOKEN={ops.token(READ, WRITE)}", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve_until_interrupted())
