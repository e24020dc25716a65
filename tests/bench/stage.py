"""What stands around a contender in every section: services, Redis, a user with a token."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.bench import pinning
from tests.bench.contenders import PATH, Running, Surroundings
from tests.bench.identity import new_identity
from tests.bench.load import Target
from tests.bench.meter import Meter
from tests.bench.upstream import upstream
from tests.redis_server import RedisServer, find_redis


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything a contender needs, up and running on the other core."""

    surroundings: Surroundings
    redis_pid: int

    def target(self, running: Running) -> Target:
        """The dashboard of that contender."""
        return Target(running.port, PATH, self.surroundings.identity.token)

    def meter(self, running: Running) -> Meter:
        """For the contender, and for what must not be the bottleneck."""
        return Meter(
            {
                "subject": running.process.pid,
                "upstream": self.surroundings.upstream.pid,
                "redis": self.redis_pid,
            }
        )


@contextmanager
def stage(*, delay_ms: int) -> Iterator[Stage]:
    """Set it up, its services taking so long to answer, and take it down at the end."""
    redis = RedisServer(find_redis())
    with pinning.on(pinning.REST):
        redis.start()
    try:
        with upstream(delay_ms) as services:
            yield Stage(Surroundings(services, new_identity(), redis.url), redis.pid)
    finally:
        redis.stop()
