"""1,000 requests a second over four gateways, while operators change a limit a hundred times.

Everything goes through HTTP: the changes through `lockgate ops`, as `lockgate limits` makes them,
and the limit in force is what the responses of the gateways say.
"""

import asyncio
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
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
from gateway.storage.upgrade import upgrade_schema
from tests.e2e.serve_process import run_serve_with
from tests.postgresql_server import PostgresqlServer
from tests.proofs.limit_load import Load, run_load
from tests.redis_server import RedisServer
from tests.running_demo import ROOT
from tests.tunable_gateway import build_environment, find_ops_url, issue_operator_token

PROCESSES, USERS, PER_SECOND, CHANGES, RACES = 4, 10, 1_000, 100, 20
POLICY = "dashboards"

pytestmark = [pytest.mark.prove, pytest.mark.redis, pytest.mark.timeout(900)]


@dataclass(frozen=True)
class Scene:
    """The gateways and the ops app; `environment` is that of all of them."""

    environment: Mapping[str, str]
    ports: list[int]
    ops: OpsAddress
    load: Load

    async def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `lockgate limits`."""
        return await asyncio.to_thread(self._run, arguments)

    def _run(self, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
        variables = {"LOCKGATE_OPS_URL": self.ops.url, "LOCKGATE_OPS_TOKEN": self.ops.token or ""}
        return subprocess.run(
            [sys.executable, "-m", "gateway.cli", "limits", *arguments],
            cwd=ROOT, env={**self.environment, **variables}, capture_output=True, text=True,
            check=False, timeout=90,
        )  # fmt: skip

    def change(self, rate: str, version: int) -> int:
        """Set the rate as an operator does; return the new version."""
        with OpsClient(self.ops) as client:
            patch = {"rate": rate, "reason": "a proof"}
            return client.change_limit(POLICY, patch, version=version).version

    def get_version(self) -> int:
        with OpsClient(self.ops) as client:
            return client.get_limit(POLICY).version

    def read_document(self) -> str | None:
        """Return the live document as the database has it."""
        url = self.environment["LOCKGATE_DATABASE_URL"]
        database = create_database(Settings(database_url=url))
        try:
            return database.read_now(_read_document)
        finally:
            database.close()


def _read_document(connection: Connection) -> str | None:
    query = select(live_limits.c.document).where(live_limits.c.policy == POLICY)
    document: str | None = connection.execute(query).scalar_one()
    return document


async def prove_changes(scene: Scene) -> None:
    """Change the limit again and again: alternately one that refuses most requests, and none."""
    delays, loop = list[float](), asyncio.get_running_loop()
    version = await asyncio.to_thread(scene.get_version)
    for number in range(CHANGES):
        quota = (100 if number % 2 else 100_000) + number
        version = await asyncio.to_thread(scene.change, f"{quota}/minute", version)
        changed = loop.time()
        delays.append(await scene.load.wait_for(quota) - changed)
    delays.sort()
    print(
        f"{CHANGES} changes: every process on the new version {delays[-1]:.2f} s after the "
        f"response at most, {delays[CHANGES // 2]:.2f} s in the median",
        flush=True,
    )
    assert delays[-1] < 1


async def prove_conflicts(scene: Scene) -> None:
    """Two operators change the same version at once: one of them gets 412."""
    for number in range(RACES):
        version = await asyncio.to_thread(scene.get_version)
        changes = [
            asyncio.to_thread(scene.change, f"{1_000 + 2 * number + it}/minute", version)
            for it in range(2)
        ]
        results = await asyncio.gather(*changes, return_exceptions=True)
        assert [it for it in results if not isinstance(it, BaseException)] == [version + 1]
        [conflict] = [it for it in results if isinstance(it, BaseException)]
        assert isinstance(conflict, StaleVersion)
    print(f"two operators at once, {RACES} times: one of them got 412 each time", flush=True)


async def prove_commands(scene: Scene) -> None:
    """The same with the command: a change, and a rollback that restores each byte."""
    before, version = scene.read_document(), await asyncio.to_thread(scene.get_version)
    options = ["--reason", "a proof", "--yes", "--no-simulation"]
    done = await scene.run("set", POLICY, "77777/minute", "--burst", "5", "--until", "1h", *options)
    assert done.returncode == 0, done.stderr
    await scene.load.wait_for(77_777)
    assert scene.read_document() != before
    done = await scene.run("rollback", POLICY, *options)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith(f"{POLICY} is at version {version + 2}:")
    assert scene.read_document() == before
    wrong = await scene.run("set", POLICY, "lots", *options)
    assert wrong.returncode == 1
    assert "rate: 'lots' is not a rate" in wrong.stderr
    assert scene.read_document() == before
    print(f"rolled back byte-equal: {before}", flush=True)


@contextmanager
def serve(environment: Mapping[str, str], folder: Path) -> Iterator[tuple[list[int], str]]:
    """Serve the gateways and the ops app; yield the ports of the gateways and the URL of it."""
    with ExitStack() as stack:
        gateways = [
            stack.enter_context(run_serve_with(environment, folder / f"log-{number}"))
            for number in range(PROCESSES)
        ]
        ops = stack.enter_context(run_serve_with(environment, folder / "log-ops", command="ops"))
        yield [int(it.url.rpartition(":")[2]) for it in gateways], find_ops_url(ops)


@pytest.mark.parametrize("has_redis", [True, False])
async def test_a_limit_is_changed_under_load(
    has_redis: bool, own_postgresql: PostgresqlServer, own_redis: RedisServer, tmp_path: Path
) -> None:
    url = own_postgresql.create_database()
    database = create_database(Settings(database_url=url))
    database.write_now(upgrade_schema)
    database.close()
    redis = {"LOCKGATE_REDIS_URL": own_redis.url} if has_redis else {}
    processes = {"LOCKGATE_COUNTERS__PROCESSES": str(PROCESSES)}
    environment = build_environment(tmp_path, url, **processes, **redis)
    with serve(environment, tmp_path) as (ports, ops_url):
        async with run_load(ports, USERS, PER_SECOND) as load:
            ops = OpsAddress(ops_url, issue_operator_token())
            scene = Scene(environment, ports, ops, load)
            await prove_changes(scene)
            await prove_conflicts(scene)
            await prove_commands(scene)
            rate = load.requests_per_second
        print(
            f"{'with' if has_redis else 'without'} Redis: {load.statuses.total():,} requests, "
            f"{rate:,.0f} a second: {dict(load.statuses)}",
            flush=True,
        )
        assert not load.errors
        assert set(load.statuses) == {200, 429}
        assert rate > 0.9 * PER_SECOND
