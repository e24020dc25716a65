"""An author of live limits beside the gateways, as `lockgate ops` is."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from gateway.ratelimit.limiter import RateLimiter
from gateway.ratelimit.limits import Limits
from gateway.ratelimit.live.live_document import LiveDocument
from gateway.ratelimit.live.live_limits import LiveLimits
from gateway.ratelimit.live.open_live_limits import open_live_limits
from gateway.ratelimit.memory_limiter import MemoryLimiter
from gateway.ratelimit.settings_rates import put_in_force
from gateway.resources import Resources
from gateway.settings.schema import Settings
from gateway.storage.journal import Author
from gateway.storage.open_storage import open_storage
from tests.proofs.revocable.limits import REQUESTS

POLICY = REQUESTS.name
JANE = Author("jane", "a proof")


@dataclass(frozen=True)
class LimitAuthor:
    """Changes the policy of the gateways, from whatever version it has."""

    limits: LiveLimits

    @property
    def version(self) -> int:
        """The version of the policy, as this process knows it."""
        return self.limits.get(POLICY).version

    @property
    def quota(self) -> int:
        """The quota that is in force in this process."""
        [rule] = self.limits.get(POLICY).in_force.policy.make_rules()
        return rule.quota

    async def change(self, rate: str) -> int:
        """Set the rate, and return the new version."""
        document = LiveDocument.parse({"rate": rate})
        view = await self.limits.change(POLICY, document, if_version=self.version, author=JANE)
        return view.version

    async def roll_back(self, to_version: int) -> int:
        """Roll back, and return the new version."""
        view = await self.limits.rollback(POLICY, to_version, if_version=self.version, author=JANE)
        return view.version


@asynccontextmanager
async def open_author(settings: Settings) -> AsyncIterator[LimitAuthor]:
    """Open the database of the settings, and their Redis if they have one."""
    resources, declared = Resources(), {POLICY: REQUESTS}
    resources[RateLimiter] = limiter = MemoryLimiter(10)
    resources[Limits] = Limits(limiter, put_in_force(declared, settings.limits))
    async with (
        open_storage(settings, resources),
        open_live_limits(settings, declared, resources),
    ):
        yield LimitAuthor(resources[LiveLimits])
