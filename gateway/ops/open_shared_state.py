"""Opens what `lockgate ops` shares with gateway processes: database, keys, counts, live limits."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from gateway.auth.verifier import TokenVerifier, open_verifier
from gateway.errors.tree import DatabaseUnavailable
from gateway.ratelimit.live.open_live_limits import open_live_limits
from gateway.ratelimit.open_limits import open_limits
from gateway.ratelimit.policy import Policy
from gateway.resources import Resources
from gateway.revocation.open_revocations import open_revocations
from gateway.settings.schema import Settings
from gateway.storage.open_storage import Storage, open_storage


@asynccontextmanager
async def open_shared_state(
    settings: Settings, policies: Mapping[str, Policy]
) -> AsyncIterator[Resources]:
    """Open the resources for the length of the block; `policies` are those of the package.

    Raises:
        InvalidSettings: one of them cannot be opened with these settings.
    """
    resources = Resources()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(open_storage(settings, resources))
        opening = open_verifier(settings.issuers, settings.tokens, ca_file=settings.tls.ca_file)
        verifier = resources[TokenVerifier] = await stack.enter_async_context(opening)
        open_revocations(settings, resources, verifier)
        await stack.enter_async_context(open_limits(settings, policies, resources))
        await stack.enter_async_context(open_live_limits(settings, policies, resources))
        storage: Storage | None = resources.get(Storage)
        if storage is not None:
            with suppress(DatabaseUnavailable):  # then each token gets a 503 until it responds
                await storage.feed.refresh()
        yield resources
