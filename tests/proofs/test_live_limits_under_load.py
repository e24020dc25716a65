"""A policy is changed 100 times under load: four processes follow each change within a second.

Each response announces the quota in force (`RateLimit-Policy`), so it tells which version its
gateway has. Every tenth change is so tight that callers get 429.
"""

import asyncio
import time
from collections import Counter
from pathlib import Path

import pytest

from gateway.ratelimit.live.change_errors import InvalidDocument, VersionConflict
from gateway.ratelimit.live.live_document import LiveDocument
from gateway.settings.schema import Settings
from tests.postgresql_server import PostgresqlServer
from tests.proofs.limit_author import JANE, POLICY, LimitAuthor, open_author
from tests.proofs.limit_load import LimitLoad, load
from tests.proofs.revocable_gateways import RevocableGateways
from tests.proofs.steady_load import serve_load
from tests.proofs.test_revocation_under_load import get_ports
from tests.redis_server import RedisServer

PROCESSES, CHANGES = 4, 100
CONNECTIONS, PAUSE = 5, 0.02
"""1,000 requests a second together, or as many as the machine can send."""

pytestmark = [pytest.mark.prove, pytest.mark.redis, pytest.mark.timeout(300)]


def choose_quota(number: int) -> int:
    return number + 1 if number % 10 == 9 else 1_000_001 + number


async def change_once(author: LimitAuthor, loads: list[LimitLoad], number: int) -> float:
    """Change the policy; return the seconds until the last process follows."""
    quota = choose_quota(number)
    began = time.monotonic()
    await author.change(f"{quota}/minute")
    changed = time.monotonic()
    seen = [await it.wait_for(quota) for it in loads]
    assert min(seen) >= began
    return max(0.0, max(seen) - changed)


async def prove_refusals(author: LimitAuthor, loads: list[LimitLoad]) -> None:
    """A wrong change and one of two at once are refused; a rollback is followed as a change is."""
    version, quota = author.version, loads[0].quota
    with pytest.raises(InvalidDocument, match=r"^limit: is no value of a rate limit"):
        await author.limits.change(POLICY, LiveDocument(limit=4), if_version=version, author=JANE)
    changes = (author.change("7777777/minute"), author.change("8888888/minute"))
    outcomes = await asyncio.gather(*changes, return_exceptions=True)
    assert [type(it) for it in outcomes].count(VersionConflict) == 1
    winner = 7_777_777 if outcomes[0] == version + 1 else 8_888_888
    for it in loads:
        await it.wait_for(winner)
        it.first_seen.clear()
    await author.roll_back(version)
    for it in loads:
        await it.wait_for(quota)


async def prove(gateways: RevocableGateways, settings: Settings, title: str) -> None:
    with gateways.serve(PROCESSES) as processes:
        ports = await asyncio.to_thread(get_ports, processes)
        async with (
            open_author(settings) as author,
            load(ports, connections=CONNECTIONS, pause=PAUSE) as loads,
        ):
            for it in loads:
                await it.wait_for(1_000_000)
            began = time.monotonic()
            delays = [await change_once(author, loads, number) for number in range(CHANGES)]
            rate = sum(it.statuses.total() for it in loads) / (time.monotonic() - began)
            await prove_refusals(author, loads)
            statuses = sum((it.statuses for it in loads), Counter[int]())
    print(
        f"{title}: the last of {PROCESSES} processes followed after {max(delays):.3f} s at most, "
        f"{sorted(delays)[CHANGES // 2]:.3f} s in the median; {rate:.0f} requests a second, "
        f"{dict(statuses)}",
        flush=True,
    )
    assert max(delays) < 1
    assert statuses.keys() == {200, 429}


@pytest.mark.parametrize("with_redis", [True, False], ids=["redis", "no-redis"])
async def test_four_processes_follow_100_changes(
    own_postgresql: PostgresqlServer, own_redis: RedisServer, tmp_path: Path, with_redis: bool
) -> None:
    url = own_postgresql.create_database()
    redis_url = own_redis.url if with_redis else None
    settings = Settings(database_url=url, redis_url=redis_url)
    async with serve_load() as port:
        gateways = RevocableGateways(tmp_path, url, port, redis_url=redis_url)
        assert gateways.run("db", "upgrade").status == 0
        await prove(gateways, settings, "with Redis" if with_redis else "without Redis")
        done = gateways.run("journal", "verify")
        assert done.status == 0, done.errors
        print(done.output.strip(), flush=True)
