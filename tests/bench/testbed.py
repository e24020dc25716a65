"""The testbed of every section: services, Redis, and a user with a token."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.bench import pinning
from tests.bench.contenders import PATH, Backends, Running
from tests.bench.identity import create_identity
from tests.bench.meter import Meter
from tests.bench.upstream import run_upstream
from tests.e2e.transfers import Target
from tests.redis_server import RedisServer, find_redis


@dataclass(frozen=True, slots=True)
class Testbed:
    """The running backends of a contender, on the other core."""

    backends: Backends
    redis_pid: int

    def make_target(self, running: Running) -> Target:
        """Return the dashboard of a contender as the target of a load."""
        return Target(running.port, PATH, self.backends.identity.token)

    def make_meter(self, running: Running) -> Meter:
        """Return a meter for the contender, the services and Redis."""
        return Meter(
            {
                "subject": running.process.pid,
                "upstream": self.backends.upstream.pid,
                "redis": self.redis_pid,
            }
        )


@contextmanager
def open_testbed(*, delay_ms: int) -> Iterator[Testbed]:
    """Start the backends, and stop them after the block; services respond after `delay_ms`."""
    redis = RedisServer(find_redis())
    with pinning.pin_to(pinning.OTHER_CORE):
        redis.start()
    try:
        with run_upstream(delay_ms) as services:
            yield Testbed(Backends(services, create_identity(), redis.url), redis.pid)
    finally:
        redis.stop()
