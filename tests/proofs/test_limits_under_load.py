"""Operators change a limit a hundred times through the ops API, under 1,000 requests a second.

Everything goes through HTTP: the changes through `lockgate ops`, as `lockgate limits` makes them,
and the limit in force is what the responses of four gateways say.
"""

import asyncio
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Connection, select

from gateway.cli.limits.ops_address import OpsAddress
from gateway.cli.limits.ops_client import OpsClient
from gateway.cli.limits.ops_refusal import StaleVersion
from gateway.settings.schema import Settings
from gateway.storage.open_storage import create_database
from gateway.storage.tables import live_limits
from tests.e2e.serve_process import run_serve_with
from tests.postgresql_server import PostgresqlServer
from tests.proofs.limit_load import LimitLoad, load
from tests.proofs.revocable_gateways import RevocableGateways
from tests.proofs.steady_load import serve_load
from tests.proofs.test_revocation_under_load import get_ports
from tests.redis_server import RedisServer
from tests.running_demo import ROOT
from tests.tunable_gateway import OPS_AUDIENCE, issue_operator_token

PROCESSES, CONNECTIONS, PAUSE = 4, 5, 0.02
"""1,000 requests a second together, or as many as the machine can send."""

POLICY, CHANGES, RACES = "requests", 100, 20

pytestmark = [pytest.mark.prove, pytest.mark.redis, pytest.mark.timeout(600)]


@dataclass(frozen=True)
class Operator:
    """Changes the limit, and reads what is stored."""

    gateways: RevocableGateways
    ops: OpsAddress

    async def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `lockgate limits`."""
        return await asyncio.to_thread(self._run, arguments)

    async def change(self, rate: str, version: int) -> int:
        """Set the rate as the command does; return the new version."""
        return await asyncio.to_thread(self._change, rate, version)

    async def get_version(self) -> int:
        """Return the version of the policy."""
        return await asyncio.to_thread(self._get_version)

    def read_document(self) -> str | None:
        """Return the live document as the database has it."""
        database = create_database(Settings(database_url=self.gateways.database_url))
        try:
            return database.read_now(_read_document)
        finally:
            database.close()

    def _run(self, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
        variables = {"LOCKGATE_OPS_URL": self.ops.url, "LOCKGATE_OPS_TOKEN": self.ops.token or ""}
        return subprocess.run(
            [sys.executable, "-m", "gateway.cli", "limits", *arguments],
            cwd=ROOT, env={**self.gateways.environment, **variables}, capture_output=True,
            text=True, check=False, timeout=90,
        )  # fmt: skip

    def _change(self, rate: str, version: int) -> int:
        with OpsClient(self.ops) as client:
            patch = {"rate": rate, "reason": "a proof"}
            return client.change_limit(POLICY, patch, version=version).version

    def _get_version(self) -> int:
        with OpsClient(self.ops) as client:
            return client.get_limit(POLICY).version


def _read_document(connection: Connection) -> str | None:
    query = select(live_limits.c.document).where(live_limits.c.policy == POLICY)
    document: str | None = connection.execute(query).scalar_one()
    return document


async def prove_changes(operator: Operator, loads: Sequence[LimitLoad]) -> None:
    """Every process follows each change; every second one refuses most requests."""
    delays, version = list[float](), await operator.get_version()
    for number in range(CHANGES):
        quota = (10 if number % 2 else 100_000) + number
        version = await operator.change(f"{quota}/minute", version)
        changed = time.monotonic()
        delays.append(max([await it.wait_for(quota) for it in loads]) - changed)
    delays.sort()
    print(
        f"{CHANGES} changes: the last of {PROCESSES} processes followed {delays[-1]:.2f} s after "
        f"the response at most, {delays[CHANGES // 2]:.2f} s in the median",
        flush=True,
    )
    assert delays[-1] < 1


async def prove_conflicts(operator: Operator) -> None:
    """Two operators change the same version at once: one of them gets 412."""
    for number in range(RACES):
        version = await operator.get_version()
        changes = [operator.change(f"{1_000 + 2 * number + it}/minute", version) for it in (0, 1)]
        results = await asyncio.gather(*changes, return_exceptions=True)
        assert [it for it in results if not isinstance(it, BaseException)] == [version + 1]
        [conflict] = [it for it in results if isinstance(it, BaseException)]
        assert isinstance(conflict, StaleVersion)
    print(f"two operators at once, {RACES} times: one of them got 412 each time", flush=True)


async def prove_commands(operator: Operator, loads: Sequence[LimitLoad]) -> None:
    """The command changes the limit, rolls it back byte for byte, and refuses a wrong change."""
    before, version = operator.read_document(), await operator.get_version()
    options = ["--reason", "a proof", "--yes"]
    done = await operator.run("set", POLICY, "77777/minute", "--until", "1h", *options)
    assert done.returncode == 0, done.stderr
    print(done.stdout, flush=True)
    for it in loads:
        await it.wait_for(77_777)
    assert operator.read_document() != before
    done = await operator.run("rollback", POLICY, *options)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith(f"{POLICY} is at version {version + 2}:")
    assert operator.read_document() == before
    wrong = await operator.run("set", POLICY, "lots", *options)
    assert wrong.returncode == 2
    assert "rate: 'lots' is not a rate" in wrong.stderr
    assert operator.read_document() == before
    print(f"rolled back, byte for byte: {before}", flush=True)


@contextmanager
def serve_ops(gateways: RevocableGateways) -> Iterator[OpsAddress]:
    log = gateways.folder / "log-ops"
    with run_serve_with(gateways.environment, log, subcommand="ops") as process:
        yield OpsAddress(process.ops_url, issue_operator_token())


async def start_gateway(gateways: RevocableGateways, stack: ExitStack) -> int:
    """Start one gateway after the other, which a busy machine takes less time for."""
    [port] = await asyncio.to_thread(get_ports, stack.enter_context(gateways.serve(1)))
    return port


@pytest.mark.parametrize("with_redis", [True, False], ids=["redis", "no-redis"])
async def test_a_limit_is_changed_through_the_ops_api_under_load(
    own_postgresql: PostgresqlServer, own_redis: RedisServer, tmp_path: Path, with_redis: bool
) -> None:
    url = own_postgresql.create_database()
    redis_url = own_redis.url if with_redis else None
    variables = {
        "LOCKGATE_COUNTERS__PROCESSES": str(PROCESSES),
        "LOCKGATE_OPS__AUDIENCE": OPS_AUDIENCE,
        "LOCKGATE_OPS__PORT": "0",
    }
    async with serve_load() as port:
        gateways = RevocableGateways(tmp_path, url, port, redis_url=redis_url, variables=variables)
        assert gateways.run("db", "upgrade").status == 0
        with ExitStack() as stack:
            ports = [await start_gateway(gateways, stack) for _ in range(PROCESSES)]
            operator = Operator(gateways, stack.enter_context(serve_ops(gateways)))
            began = time.monotonic()
            async with load(ports, connections=CONNECTIONS, pause=PAUSE) as loads:
                await prove_changes(operator, loads)
                await prove_conflicts(operator)
                await prove_commands(operator, loads)
        statuses = sum((it.statuses for it in loads), Counter[int]())
    rate = statuses.total() / (time.monotonic() - began)
    title = "with Redis" if with_redis else "without Redis"
    print(f"{title}: {rate:.0f} requests a second, {dict(statuses)}", flush=True)
    assert statuses.keys() == {200, 429}
