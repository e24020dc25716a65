"""Opens the ops app: beside the gateway of the same process, or in a process of its own."""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from gateway.open_clients import OpenServices
from gateway.ops.caller_keys import CallerKeys
from gateway.ops.caller_lookup import CallerLookup
from gateway.ops.gathered_traffic import GatheredTraffic
from gateway.ops.limit_store import LimitStore
from gateway.ops.operator_tokens import require_operator_tokens
from gateway.ops.ops_app import create_ops_app
from gateway.ops.process_publisher import publish_process
from gateway.ops.process_registry import ProcessRegistry, open_process_registry
from gateway.ops.simulations import Simulations
from gateway.ops.traffic import OwnTraffic, Traffic
from gateway.ratelimit.limiter import RateLimiter
from gateway.ratelimit.live.live_limits import LiveLimits
from gateway.ratelimit.recording.recorder import Recorder
from gateway.resources import Resources
from gateway.server.lifecycle import RunningServer, open_server
from gateway.settings.issuer_names import list_issuer_names
from gateway.settings.ops_conflicts import runs_apart
from gateway.settings.schema import Settings


@asynccontextmanager
async def open_ops(settings: Settings, gateway: Resources) -> AsyncIterator[RunningServer | None]:
    """Let operators see the gateway of this process, which has opened its own resources.

    If the gateway has one process, the ops app is served here. Otherwise, an ops app in another
    process sees this one through Redis. Without `ops.audience`, nothing is opened.

    Raises:
        InvalidSettings: the host is not an address of this machine.
        AddressUnavailable: the server cannot listen on the port.
    """
    if settings.ops.audience is None:
        yield None
        return
    recorder: Recorder = gateway[Recorder]
    traffic = OwnTraffic(recorder, gateway[OpenServices])
    async with AsyncExitStack() as stack:
        if runs_apart(settings):
            if settings.redis_url is not None:
                published = publish_process(settings, recorder.process, traffic)
                await stack.enter_async_context(published)
            yield None
            return
        limiter: RateLimiter = gateway[RateLimiter]
        resources = create_ops_resources(settings, gateway, traffic, limiter)
        yield await stack.enter_async_context(serve_ops(settings, resources))


@asynccontextmanager
async def open_ops_alone(settings: Settings, opened: Resources) -> AsyncIterator[RunningServer]:
    """Serve the ops app for gateways in other processes, which are seen through Redis.

    `opened` has what `open_shared_state` opens. Without Redis, limits can be changed, and nothing
    is known of the traffic.

    Raises: as `open_ops`.
    """
    async with AsyncExitStack() as stack:
        limiter: RateLimiter | None = None
        registry: ProcessRegistry | None = None
        if settings.redis_url is not None:
            limiter = opened[RateLimiter]
            registry = await stack.enter_async_context(
                open_process_registry(settings, time.monotonic)
            )
        resources = create_ops_resources(settings, opened, GatheredTraffic(registry), limiter)
        yield await stack.enter_async_context(serve_ops(settings, resources))


@asynccontextmanager
async def serve_ops(settings: Settings, resources: Resources) -> AsyncIterator[RunningServer]:
    """Serve the ops app with these resources on its port, for the length of the block."""
    app = create_ops_app(settings, resources)
    async with open_server(app, app.state.settings.server, "ops") as server:
        yield server


def create_ops_resources(
    settings: Settings, opened: Resources, traffic: Traffic, limiter: RateLimiter | None
) -> Resources:
    """Return the resources of the ops app. `ops.audience` must be set.

    `limiter` has the counts; None if they are in other processes.
    """
    audience, gateway = settings.ops.audience, settings.identity.issuer
    assert audience is not None  # noqa: S101 - see above
    resources = Resources(opened)
    require_operator_tokens(resources, audience, settings.issuers)
    if limiter is None:
        del resources[RateLimiter]  # it counts nothing
    live: LiveLimits = opened[LiveLimits]
    providers = [name for issuer in settings.issuers for name in list_issuer_names(issuer)]
    keys = CallerKeys(providers, None if gateway is None else str(gateway))
    store = resources[LimitStore] = LimitStore(live, keys)
    resources[CallerLookup] = CallerLookup(store, live, keys, limiter)
    resources[Traffic] = traffic
    resources[Simulations] = Simulations(store, traffic)
    return resources
