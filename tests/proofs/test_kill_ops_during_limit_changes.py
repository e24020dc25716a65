"""`kill -9` of the ops app, or of the database, while an operator changes a limit through the API.

After each kill, the journal is whole, the live limit is that of its last entry, and no change that
got a response is lost or made twice. In the end each gateway has the value of the journal.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
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
from tests.proofs.forked_ops import PROGRAM
from tests.proofs.limit_agreement import read_soon, require_agreement, require_followed
from tests.proofs.limit_load import load
from tests.proofs.limit_operator import LimitOperator
from tests.proofs.revocable_gateways import RevocableGateways
from tests.proofs.steady_load import serve_load
from tests.proofs.test_revocation_under_load import get_ports
from tests.redis_server import RedisServer
from tests.tunable_gateway import OPS_AUDIENCE, issue_operator_token

OBSERVERS = 2
MAX_LIFE_SECONDS = 1.0

pytestmark = [pytest.mark.prove, pytest.mark.timeout(1_200)]


@dataclass
class Proof:
    """The processes with an ops port that are killed, and the operator who uses them."""

    served: ForkedGateways
    database: Database
    kill_database: Callable[[], None] | None
    operator: LimitOperator
    choose: random.Random
    kills: Counter[str] = field(default_factory=Counter)

    def kill_one(self, number: int) -> None:
        """Let the operator change the limit, and kill the ops app or the database. Blocks."""
        before = self.operator.version
        with ThreadPoolExecutor(1) as thread:
            with self.served.serve() as port:
                changing = thread.submit(self.operator.run, port)
                self._wait(number)
            changing.result(60)
        versions = range(before + 1, self.operator.version + 1)
        changed = [(str(it), str(self.operator.quotas[it])) for it in versions]
        version = read_soon(self.database, partial(require_agreement, changed=changed))
        # The last change may have been made, though its response was lost.
        assert version - self.operator.version in {0, int(self.operator.unknown is not None)}

    def _wait(self, number: int) -> None:
        """Let the ops app live for a while; in the middle, the database may be killed."""
        time.sleep(self.choose.uniform(0.02, MAX_LIFE_SECONDS))
        if self.kill_database is None or number % 3:
            self.kills["ops"] += 1
            return
        self.kill_database()
        self.kills["database"] += 1
        time.sleep(self.choose.uniform(0.02, MAX_LIFE_SECONDS))


async def prove(
    gateways: RevocableGateways,
    subcommand: str,
    kills: int,
    kill_database: Callable[[], None] | None = None,
) -> None:
    database = create_database(Settings(database_url=gateways.database_url))
    seed = random.randrange(10**9)
    print(f"seed {seed}", flush=True)
    program, folder = f"{PROGRAM} {subcommand}", gateways.folder / "ops"
    operator = LimitOperator(issue_operator_token())
    with (
        gateways.serve(OBSERVERS) as observers,
        open_gateways(folder, gateways.environment, program) as served,
    ):
        ports = await asyncio.to_thread(get_ports, observers)
        async with load(ports, connections=1, pause=0.02) as loads:
            proof = Proof(served, database, kill_database, operator, random.Random(seed))
            for number in range(kills):
                await asyncio.to_thread(proof.kill_one, number)
            seconds = await require_followed(loads, database)
            statuses = {status for it in loads for status in it.statuses}
    entries = database.read_now(verify_journal).seq
    database.close()
    print(
        f"`lockgate {subcommand}`, {dict(proof.kills)}: {entries} entries are whole; changes: "
        f"{dict(operator.outcomes)}; {OBSERVERS} gateways had the last value {seconds:.2f} s after "
        "the last kill",
        flush=True,
    )
    assert proof.kills.total() == kills
    assert operator.outcomes["made"]
    assert statuses == {200}


async def test_with_postgresql_and_redis(
    own_postgresql: PostgresqlServer, own_redis: RedisServer, tmp_path: Path
) -> None:
    def restart() -> None:
        own_postgresql.kill()
        own_postgresql.start()

    url = own_postgresql.create_database()
    variables = {
        "LOCKGATE_COUNTERS__PROCESSES": str(OBSERVERS),
        "LOCKGATE_OPS__AUDIENCE": OPS_AUDIENCE,
    }
    async with serve_load() as port:
        gateways = RevocableGateways(
            tmp_path, url, port, redis_url=own_redis.url, variables=variables
        )
        assert gateways.run("db", "upgrade").status == 0
        await prove(gateways, "ops", 100, restart)


@pytest.mark.parametrize("subcommand", ["ops", "serve"])
async def test_with_a_file(tmp_path: Path, subcommand: str) -> None:
    """`lockgate ops` beside gateways, and the ops port of a gateway that runs alone."""
    processes = {"ops": OBSERVERS, "serve": 1}[subcommand]
    variables = {
        "LOCKGATE_COUNTERS__PROCESSES": str(processes),
        "LOCKGATE_OPS__AUDIENCE": OPS_AUDIENCE,
    }
    url = f"sqlite:///{tmp_path}/lockgate.db"
    async with serve_load() as port:
        gateways = RevocableGateways(tmp_path, url, port, variables=variables)
        assert gateways.run("db", "upgrade").status == 0
        await prove(gateways, subcommand, 50)
