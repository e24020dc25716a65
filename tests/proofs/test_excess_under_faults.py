"""Four processes count together while Redis fails at random: what callers get in excess.

`ROUNDS` and `SEED` of the environment repeat or lengthen a run.
"""

import os
import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
import redis

from tests.proofs.faulty_limiter import FaultyLimiter, Order, run_processes
from tests.redis_server import RedisServer

pytestmark = [pytest.mark.prove, pytest.mark.redis, pytest.mark.timeout(3_600)]

ROUNDS = int(os.environ.get("ROUNDS", "12"))
SEED = int(os.environ.get("SEED", "0")) or random.randrange(10**6)

QUOTA, PROCESSES = 100, 4
SHARE = QUOTA // PROCESSES
SECONDS = 8.0
PATIENCE = 10.0

Fault = Callable[[RedisServer, random.Random], None]


def kill(server: RedisServer, chance: random.Random) -> None:
    """Kill it; it comes back empty."""
    server.kill()
    time.sleep(chance.uniform(0, 1.5))
    server.start()


def reload(server: RedisServer, chance: random.Random) -> None:
    """Kill it; it comes back with data that are older."""
    server.command("SAVE")
    time.sleep(chance.uniform(0, 1))
    directory = find_directory(server)
    server.kill()
    server.start()
    (directory / "dump.rdb").unlink()


def flush(server: RedisServer, _: random.Random) -> None:
    """Empty it."""
    server.command("FLUSHALL")


def cut_all(server: RedisServer, _: random.Random) -> None:
    """Close all connections."""
    server.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


def cut_one(server: RedisServer, chance: random.Random) -> None:
    """Close one connection."""
    with redis.Redis.from_url(server.url) as client:
        others = [it["id"] for it in client.client_list() if it["id"] != str(client.client_id())]
        if others:
            client.client_kill_filter(_id=chance.choice(others))


def freeze(server: RedisServer, chance: random.Random) -> None:
    """Stop the process for a while."""
    server.pause()
    time.sleep(chance.uniform(0, 1.5))
    server.resume()


def sleep(server: RedisServer, chance: random.Random) -> None:
    """Let it run a slow command."""
    server.command("DEBUG", "SLEEP", f"{chance.uniform(0.01, 1):.3f}")


def demote(server: RedisServer, chance: random.Random) -> None:
    """Make it read-only."""
    server.command("REPLICAOF", "127.0.0.1", "1")
    time.sleep(chance.uniform(0, 1.5))
    server.command("REPLICAOF", "NO", "ONE")


def fill(server: RedisServer, chance: random.Random) -> None:
    """Let it refuse to write."""
    server.command("CONFIG", "SET", "maxmemory", "1")
    time.sleep(chance.uniform(0, 1.5))
    server.command("CONFIG", "SET", "maxmemory", "0")


FAULTS: Sequence[Fault] = (kill, reload, flush, cut_all, cut_one, freeze, sleep, demote, fill)

POLICIES: Mapping[str, dict[str, object]] = {
    f"{fallback}, {kind}": {"without_redis": fallback, **burst}
    for fallback in ("deny", "local", "allow")
    for kind, burst in (("window", {}), ("steady", {"burst": QUOTA}))
}
REACHES: Mapping[str, Sequence[tuple[float, float, int]]] = {
    # For each process: delay, seconds, and requests per second.
    "all processes": [(0, SECONDS, 6)] * PROCESSES,
    "one, then all": [(0, SECONDS, 20)] + [(SECONDS / 2, SECONDS / 2, 20)] * (PROCESSES - 1),
}


@pytest.fixture
def server(redis_binary: str, tmp_path: Path) -> Iterator[RedisServer]:
    """A server that permits DEBUG and saves its data when it is told to."""
    flags = ("--enable-debug-command", "local", "--dir", str(tmp_path))
    server = RedisServer(redis_binary, *flags)
    server.start()
    yield server
    server.stop()


def find_directory(server: RedisServer) -> Path:
    """Return where it saves its data."""
    with redis.Redis.from_url(server.url) as client:
        return Path(client.config_get("dir")["dir"])


def test_the_excess_while_redis_fails_at_random(server: RedisServer) -> None:
    print(f"\n{ROUNDS} rounds, SEED={SEED}")
    chance = random.Random(SEED)
    worst: dict[str, list[int]] = defaultdict(list)
    wrong = []
    with run_processes(server.url, PROCESSES) as processes:
        for number in range(ROUNDS):
            faults = [chance.choice(FAULTS) for _ in range(chance.randint(1, 3))]
            names = "+".join(fault.__name__ for fault in faults)
            for case, (admitted, degraded) in run_round(
                server, processes, number, faults, chance
            ).items():
                excess = admitted - QUOTA
                worst[case].append(excess)
                if excess > compute_bound(case, degraded):
                    wrong.append(f"round {number}, {names}, {case}: {excess} ({degraded} degraded)")
                print(f"{number:4} {names:24} {case:30} {excess:4} in excess, {degraded} degraded")
    for case, excesses in sorted(worst.items()):
        above = sum(excess > 0 for excess in excesses)
        print(f"{case:32} at most {max(excesses):3}, in {above} of {len(excesses)} rounds")
    assert wrong == []


def compute_bound(case: str, degraded: int) -> int:
    """Compute what docs/how-to/when-redis-is-down.md permits in excess."""
    if case.startswith("deny"):
        return 0
    if case.startswith("local"):
        return min(degraded, (PROCESSES - 1) * SHARE)
    return degraded


def run_round(
    server: RedisServer,
    processes: Sequence[FaultyLimiter],
    number: int,
    faults: Sequence[Fault],
    chance: random.Random,
) -> Mapping[str, tuple[int, int]]:
    """Return for each case what was admitted, and what of it without Redis."""
    cases = [(policy, reach) for policy in POLICIES for reach in REACHES]
    for index, process in enumerate(processes):
        process.begin(
            [
                Order(f"lockgate:{{{number}}}:{policy}:{reach}", QUOTA, *times, POLICIES[policy])
                for policy, reach in cases
                for times in [REACHES[reach][index]]
            ]
        )
    started = time.monotonic()
    for at in sorted(chance.uniform(0.3, SECONDS - 2.5) for _ in faults):
        time.sleep(max(0.0, started + at - time.monotonic()))
        faults[0](server, chance)
        faults = faults[1:]
    outcomes = [process.wait() for process in processes]
    return {
        f"{policy}, {reach}": (
            sum(outcome[index].admitted for outcome in outcomes),
            sum(outcome[index].degraded for outcome in outcomes),
        )
        for index, (policy, reach) in enumerate(cases)
    }
