"""`open_dpop`: opens the verifier of DPoP proofs, and finds what the routes need for it."""

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager

from gateway.auth.clock import Clock
from gateway.auth.proof_verifier import ProofVerifier
from gateway.auth.route_access import asks_for_proof
from gateway.dpop.dpop_verifier import DpopVerifier
from gateway.dpop.target_uri import PublicUrl
from gateway.fastapi_internals import RouteContext
from gateway.replay import is_shared_cache_missing, open_replay_cache
from gateway.resources import Resources
from gateway.settings.errors import ConfigError
from gateway.settings.public_url import find_public_url
from gateway.settings.schema import Settings


@asynccontextmanager
async def open_dpop(
    settings: Settings, resources: Resources, *, clock: Clock | None = None
) -> AsyncIterator[None]:
    """Open the verifier into `resources`, if `identity.issuer` says what the URLs of proofs are.

    Several processes need Redis, too. Without the verifier, bound tokens are refused, and
    the gateway binds none.
    """
    if settings.identity.issuer is None or is_shared_cache_missing(settings):
        yield
        return
    url = PublicUrl.parse(find_public_url(settings))
    async with open_replay_cache(settings) as replay:
        proofs = DpopVerifier(url, replay, clock or Clock(), settings.tokens.proof_seconds)
        resources[ProofVerifier] = resources[DpopVerifier] = proofs
        yield


def find_dpop_errors(settings: Settings, routes: Iterable[RouteContext]) -> Iterator[ConfigError]:
    """Require what the proofs need, if a route asks for them."""
    route = next(filter(asks_for_proof, routes), None)
    if route is None:
        return
    if settings.identity.issuer is None:
        yield ConfigError(
            "identity.issuer",
            f"is required: {route.path} asks for DPoP, whose proofs name the URL of the gateway",
            "set LOCKGATE_IDENTITY__ISSUER to the URL that clients use",
        )
    if is_shared_cache_missing(settings):
        processes = settings.counters.processes
        yield ConfigError(
            "redis_url",
            f"is required: counters.processes is {processes}, and {route.path} asks for DPoP;"
            " without Redis, each process would accept a proof once",
            "set LOCKGATE_REDIS_URL",
        )
