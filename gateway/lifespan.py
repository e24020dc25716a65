"""Opens the resources of the app (token verifier, rate limiter, clients), and closes them."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

from fastapi import FastAPI

from gateway.app_loader import Application
from gateway.auth.verifier import TokenVerifier, open_verifier
from gateway.ratelimit.limiter import RateLimiter
from gateway.ratelimit.open_limiter import open_limiter
from gateway.resources import Resources
from gateway.services import Transports, find_upstream_errors, find_used_clients, open_clients
from gateway.settings.errors import InvalidSettings
from gateway.settings.schema import Settings

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def create_lifespan(
    settings: Settings, application: Application, transports: Transports
) -> Lifespan:
    """Return the lifespan of an app; it closes the resources in reverse order.

    The lifespan of the company's package comes last: it can use the open clients, and add resources
    of its own. On entering, the lifespan raises InvalidSettings if the settings name an unknown
    upstream, or if a service in use has no URL.
    """

    @asynccontextmanager
    async def open_resources(app: FastAPI) -> AsyncIterator[None]:
        resources: Resources = app.state.resources
        upstreams, clients = settings.upstreams, application.clients
        used = find_used_clients(app.routes)
        without_transport = {
            kind: route for kind, route in used.items() if kind.name not in transports
        }
        if errors := find_upstream_errors(upstreams, clients, without_transport):
            raise InvalidSettings(errors)
        async with AsyncExitStack() as stack:
            verifier = open_verifier(settings.issuers, settings.tokens)
            resources[TokenVerifier] = await stack.enter_async_context(verifier)
            limiter = open_limiter(settings, application.policies)
            resources[RateLimiter] = await stack.enter_async_context(limiter)
            await stack.enter_async_context(open_clients(upstreams, clients, transports, resources))
            if application.settings is not None:
                resources[type(application.settings)] = application.settings
            if application.lifespan is not None:
                await stack.enter_async_context(application.lifespan(resources))
            yield

    return open_resources
