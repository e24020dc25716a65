"""`open_limits`: opens what counts requests, with the policies that are in force at the start."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager

from gateway.ratelimit.concurrency_leases import renew_leases
from gateway.ratelimit.limiter import RateLimiter
from gateway.ratelimit.limits import Limits
from gateway.ratelimit.open_limiter import open_limiter
from gateway.ratelimit.policy import Policy
from gateway.ratelimit.recording.open_recorder import open_recorder
from gateway.ratelimit.recording.recorder import Recorder
from gateway.ratelimit.settings_rates import put_in_force
from gateway.resources import Resources
from gateway.settings.schema import Settings


@asynccontextmanager
async def open_limits(
    settings: Settings,
    policies: Mapping[str, Policy],
    resources: Resources,
    settled: Iterable[str] = (),
) -> AsyncIterator[Limits]:
    """Open `Limits` and the `RateLimiter` under it into `resources`, and the `Recorder`.

    `settled` names the policies whose charges are settled, as `find_reserved_policies` finds them.
    There is no recorder if the ops API is off, which would be its only reader.

    Raises:
        InvalidSettings: the settings set the rate of a policy that is not declared.
    """
    in_force = put_in_force(policies, settings.limits)
    async with open_limiter(settings, policies.values(), settled) as limiter:
        resources[RateLimiter] = limiter
        recorder: Recorder | None = None
        if settings.ops.audience is not None:
            resources[Recorder] = recorder = open_recorder(settings)
            limiter.set_observer(recorder)
        resources[Limits] = limits = Limits(limiter, in_force, recorder)
        async with renew_leases(limits.leases):
            yield limits
