"""The live limits of one gateway process, for tests: several share one database."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress

from gateway.auth.clock import Clock
from gateway.errors.tree import DatabaseUnavailable
from gateway.ratelimit.concurrency_limit import ConcurrencyLimit
from gateway.ratelimit.limiter import Charge, RateLimiter
from gateway.ratelimit.live.live_document import LiveDocument
from gateway.ratelimit.live.live_limits import LiveLimits, LiveStore, Publisher
from gateway.ratelimit.live.live_policies import LivePolicies
from gateway.ratelimit.live.live_replica import LiveReplica
from gateway.ratelimit.memory_limiter import MemoryLimiter
from gateway.ratelimit.partition import make_key
from gateway.ratelimit.policy import Policy, RateLimit
from gateway.ratelimit.policy_in_force import Block, PoliciesInForce, PolicyInForce, Rules
from gateway.storage.change_feed import ChangeFeed
from gateway.storage.database import Database
from gateway.storage.journal import Author
from gateway.storage.open_storage import Storage
from tests.databases import OpenDatabase

NOW = 1_800_000_000.0
JANE = Author("jane", "incident 7")
USER = "user:#9f2c5d"


class ManualClock(Clock):
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.time = NOW

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time


def declare() -> list[Policy]:
    """Declare the policies of the code."""
    return [
        RateLimit("pages", "120/minute"),
        RateLimit(
            "orders",
            "10/second, 100/minute",
            burst=20,
            tiers={"free": "5/second, 60/minute", "pro": "600/minute"},
            tier_claim="plan",
        ),
        RateLimit("sign_in", "10/minute", per="address"),
        ConcurrencyLimit("chats", 5, tiers={"pro": 20}, tier_claim="plan"),
    ]


class LiveProcess:
    """One process. `sign_in` has its rate from the settings."""

    def __init__(
        self,
        database: Database | None,
        policies: Iterable[Policy] | None = None,
        *,
        publisher: Publisher | None = None,
        limiter: RateLimiter | None = None,
    ) -> None:
        declared = {it.name: it for it in policies or declare()}
        self.clock = ManualClock()
        self.in_force = PoliciesInForce(
            PolicyInForce(
                it.change(rate="7/minute") if it.name == "sign_in" else it,
                source="settings" if it.name == "sign_in" else "code",
            )
            for it in declared.values()
        )
        self.limiter = limiter or MemoryLimiter(100)
        self.policies = LivePolicies(self.in_force)
        self.replica = LiveReplica(self.policies, self.limiter, self.clock)
        store = None
        if database is not None:
            self.feed = ChangeFeed(database, Clock(), poll_seconds=0.02)
            self.feed.add(self.replica, "live limits")
            store = LiveStore(Storage(database, self.feed), publisher)
        self.limits = LiveLimits(
            declared,
            self.policies,
            self.limiter,
            store,
            clock=self.clock,
        )

    async def change(self, name: str, *, if_version: int | None = None, **document: object) -> int:
        """Change a policy, by default at its version; return the new version."""
        version = self.limits.get(name).version if if_version is None else if_version
        view = await self.limits.change(
            name, LiveDocument.parse(document), if_version=version, author=JANE
        )
        return view.version

    async def refresh(self) -> None:
        """Read what other processes have changed, as a poll does."""
        with suppress(DatabaseUnavailable):
            await self.feed.refresh()

    async def count(self, name: str, partition: str) -> int:
        """Count a request, and return what remains."""
        rules = self.find_rules(name, partition)
        assert not isinstance(rules, Block)
        charges = [Charge(rule, make_key(rule, partition)) for rule in rules]
        return (await self.limiter.check(charges)).standings[0].remaining

    def find_rules(
        self, name: str, partition: str = USER, tier: str | None = None
    ) -> Rules | Block:
        """Return what counts a request now."""
        in_force = self.in_force.find(name)
        assert in_force is not None
        return in_force.find_rules(partition, tier, self.clock.now())

    def list_quotas(self, name: str, partition: str = USER, tier: str | None = None) -> list[int]:
        """Return the quotas that count a request now."""
        rules = self.find_rules(name, partition, tier)
        assert not isinstance(rules, Block)
        return [rule.quota for rule in rules]


async def refresh_all(processes: Iterable[LiveProcess]) -> None:
    """Let each process poll once."""
    await asyncio.gather(*(process.refresh() for process in processes))


def open_processes(open_database: OpenDatabase, number: int = 2) -> list[LiveProcess]:
    """Open processes that share a database."""
    return [LiveProcess(open_database()) for _ in range(number)]
