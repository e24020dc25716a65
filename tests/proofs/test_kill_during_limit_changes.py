"""`kill -9` of a gateway, or of the database, while limits are changed: 100 times.

After each kill, the journal is whole, the live limit is that of its last entry, and no change that
has returned is lost. In the end each process has the value of the journal.
"""

import asyncio
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from gateway.settings.schema import Settings
from gateway.storage.database import Database
from gateway.storage.open_storage import create_database
from gateway.storage.verify_journal import verify_journal
from tests.postgresql_server import PostgresqlServer
from tests.proofs.forked_gateways import ForkedGateways, open_gateways
from tests.proofs.forked_limit_authors import PROGRAM
from tests.proofs.limit_agreement import read_soon, require_agreement, require_followed
from tests.proofs.limit_load import load
from tests.proofs.revocable_gateways import RevocableGateways
from tests.proofs.steady_load import serve_load
from tests.proofs.test_revocation_under_load import get_ports
from tests.redis_server import RedisServer

KILLS, OBSERVERS = 100, 3
MAX_LIFE_SECONDS = 0.4

pytestmark = [pytest.mark.prove, pytest.mark.timeout(600)]


@dataclass
class Proof:
    """The gateways that are killed, and the database that must agree with its journal."""

    authors: ForkedGateways
    database: Database
    kill_database: Callable[[], None] | None
    choose: random.Random
    version: int = 0
    kills: dict[str, int] = field(default_factory=lambda: {"gateway": 0, "database": 0})

    def kill_one(self, number: int) -> None:
        """Let a gateway change limits, and kill it, or the database under it. Blocks."""
        before = set(self.authors.folder.iterdir())
        with self.authors.serve():
            time.sleep(self.choose.uniform(0.02, MAX_LIFE_SECONDS))
            if self.kill_database is not None and number % 3 == 0:
                self.kill_database()
                self.kills["database"] += 1
                time.sleep(self.choose.uniform(0.02, MAX_LIFE_SECONDS))
            else:
                self.kills["gateway"] += 1
        [log] = set(self.authors.folder.iterdir()) - before
        changed = re.findall(r"^changed (\d+) (\d+)$", log.read_text(), re.MULTILINE)
        self.version = read_soon(self.database, partial(require_agreement, changed=changed))


async def prove(gateways: RevocableGateways, kill_database: Callable[[], None] | None) -> None:
    database = create_database(Settings(database_url=gateways.database_url))
    seed = random.randrange(10**9)
    print(f"seed {seed}", flush=True)
    with (
        gateways.serve(OBSERVERS) as observers,
        open_gateways(gateways.folder / "authors", gateways.environment, PROGRAM) as authors,
    ):
        ports = await asyncio.to_thread(get_ports, observers)
        async with load(ports, connections=1, pause=0.02) as loads:
            proof = Proof(authors, database, kill_database, random.Random(seed))
            for number in range(KILLS):
                await asyncio.to_thread(proof.kill_one, number)
            seconds = await require_followed(loads, database)
            statuses = {status for it in loads for status in it.statuses}
        # A process that starts now has it as well.
        with gateways.serve(1) as fresh:
            port = await asyncio.to_thread(get_ports, fresh)
            async with load(port, connections=1, pause=0.02) as loads:
                await require_followed(loads, database)
    entries = database.read_now(verify_journal).seq
    database.close()
    print(
        f"{proof.kills}: {entries} entries are whole, version {proof.version}; {OBSERVERS} "
        f"processes had its value {seconds:.2f} s after the last kill",
        flush=True,
    )
    assert sum(proof.kills.values()) == KILLS
    assert statuses == {200}


async def test_with_postgresql_and_redis(
    own_postgresql: PostgresqlServer, own_redis: RedisServer, tmp_path: Path
) -> None:
    def restart() -> None:
        own_postgresql.kill()
        own_postgresql.start()

    url = own_postgresql.create_database()
    async with serve_load() as port:
        gateways = RevocableGateways(tmp_path, url, port, redis_url=own_redis.url)
        assert gateways.run("db", "upgrade").status == 0
        await prove(gateways, restart)


async def test_with_a_file(tmp_path: Path) -> None:
    async with serve_load() as port:
        gateways = RevocableGateways(tmp_path, f"sqlite:///{tmp_path}/lockgate.db", port)
        assert gateways.run("db", "upgrade").status == 0
        await prove(gateways, None)
