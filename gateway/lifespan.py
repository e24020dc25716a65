"""Opens what requests need (keys, counters, clients) and closes it in reverse."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

from fastapi import FastAPI

from config.settings import Settings
from gateway.auth.verifier import TokenVerifier, open_verifier
from gateway.limits.limiter import Limiter
from gateway.limits.opening import open_limiter
from gateway.resources import Resources
from gateway.upstreams import Transports, open_upstreams

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def lifespan(settings: Settings, transports: Transports) -> Lifespan:
    """The lifespan of an app with these settings; everything that opens is closed in it."""

    @asynccontextmanager
    async def opened(app: FastAPI) -> AsyncIterator[None]:
        resources: Resources = app.state.resources
        async with AsyncExitStack() as stack:
            verifier = open_verifier(settings.issuers, settings.tokens)
            resources[TokenVerifier] = await stack.enter_async_context(verifier)
            resources[Limiter] = await stack.enter_async_context(open_limiter(settings))
            await stack.enter_async_context(
                open_upstreams(settings.upstreams, resources, transports)
            )
            yield

    return opened
