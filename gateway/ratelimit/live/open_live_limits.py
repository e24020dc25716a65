"""`open_live_limits`: follows the live limits in the database, and opens `LiveLimits`."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial

from redis.asyncio import Redis

from gateway.auth.clock import Clock
from gateway.background_tasks import run_in_background
from gateway.errors.tree import DatabaseUnavailable
from gateway.ratelimit.limits import Limits
from gateway.ratelimit.live.change_notice import ChangeNotices
from gateway.ratelimit.live.live_limits import LiveLimits, LiveStore
from gateway.ratelimit.live.live_policies import LivePolicies
from gateway.ratelimit.live.live_replica import LiveReplica
from gateway.ratelimit.policy import Policy
from gateway.ratelimit.redis.commands import TIMEOUT_SECONDS, open_commands
from gateway.ratelimit.redis.redis_url import create_blocking_pool
from gateway.resources import Resources
from gateway.settings.schema import Settings
from gateway.storage.change_feed import ChangeFeed
from gateway.storage.open_storage import Storage


@asynccontextmanager
async def open_live_limits(
    settings: Settings,
    declared: Mapping[str, Policy],
    resources: Resources,
    *,
    clock: Clock | None = None,
) -> AsyncIterator[None]:
    """Open `LiveLimits` into `resources`, which has the open `Limits`.

    `declared` are the policies as the code has them, in `limits` or at a route. Without a database,
    nothing is followed, and each change is refused with the reason.
    """
    limits: Limits = resources[Limits]
    storage: Storage | None = resources.get(Storage)
    policies, clock = LivePolicies(limits.policies), clock or Clock()
    if storage is None:
        resources[LiveLimits] = LiveLimits(declared, policies, limits.limiter)
        yield
        return
    replica = LiveReplica(policies, limits.limiter, clock)
    storage.feed.add(replica, "live limits")
    # So that the first request is counted by them; without the database, they follow later.
    await _refresh(storage.feed)
    async with AsyncExitStack() as stack:
        notices = None
        if settings.redis_url is not None:
            opening = _open_notices(settings, storage.feed, replica)
            notices = await stack.enter_async_context(opening)
        ends = run_in_background("limits.ends", partial(policies.watch_ends, clock))
        await stack.enter_async_context(ends)
        resources[LiveLimits] = LiveLimits(
            declared, policies, limits.limiter, LiveStore(storage, notices), clock=clock
        )
        yield


@asynccontextmanager
async def _open_notices(
    settings: Settings, feed: ChangeFeed, replica: LiveReplica
) -> AsyncIterator[ChangeNotices]:
    """Open the notices on connections of their own; Redis need not be there."""

    async def refresh(has_reset: bool) -> None:
        await _refresh(feed)
        if has_reset:
            replica.repeat_resets()

    pool = create_blocking_pool(
        str(settings.redis_url), settings.tls.ca_file, max_connections=1, timeout=TIMEOUT_SECONDS
    )
    async with (
        open_commands(settings) as commands,
        Redis.from_pool(pool) as subscriber,
    ):
        notices = ChangeNotices(commands, subscriber, refresh)
        async with (
            run_in_background("limits.subscribe", notices.subscribe),
            run_in_background("limits.deliver", notices.deliver),
        ):
            yield notices


async def _refresh(feed: ChangeFeed) -> None:
    with suppress(DatabaseUnavailable):  # `Database` has logged why
        await feed.refresh()
