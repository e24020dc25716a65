"""A token that is revoked under load is refused within a second by four processes, in any failure.

The database is PostgreSQL with Redis beside it, or a file, which the processes share. A file cannot
be killed: another process locks it instead.
"""

import asyncio
import json
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.serve_process import ServeProcess
from tests.postgresql_server import PostgresqlServer
from tests.proofs.revocable_gateways import ISSUER, Caller, Command, RevocableGateways, issue
from tests.proofs.steady_load import Watch, open_stream, serve_load, watch
from tests.redis_server import RedisServer
from tests.running_demo import send_request

PROCESSES = 4
GOOD_TOKENS = 3
TIMEOUT = 2.0  # storage.timeout_seconds
OTHERS = [f"https://others-{number}.test" for number in range(6)]

pytestmark = [pytest.mark.prove, pytest.mark.redis, pytest.mark.timeout(300)]


@dataclass
class File:
    """A database in a file; `kill` lets another process lock it."""

    path: Path
    _other: sqlite3.Connection | None = None

    def create_database(self) -> str:
        return f"sqlite:///{self.path}"

    def kill(self) -> None:
        self._other = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        self._other.execute("BEGIN EXCLUSIVE")

    def start(self) -> None:
        assert self._other is not None
        self._other.execute("ROLLBACK")
        self._other.close()


Server = PostgresqlServer | File


@dataclass
class Scene:
    """The gateways, their ports, and the good callers who must always be served."""

    gateways: RevocableGateways
    ports: list[int]
    good: list[Watch]
    revoked: list[Watch]
    slowest: float = 0.0
    """The seconds of the slowest command: most of them are the start of Python, under load."""

    def name(self, kind: str, caller: Caller) -> list[str]:
        """Return the arguments that revoke a caller."""
        issuer = ["--issuer", caller.issuer]
        match kind:
            case "token":
                return ["token"]
            case "subject":
                return ["subject", caller.subject, *issuer]
            case "client":
                return ["client", caller.client, *issuer]
        return ["all", *issuer]

    async def run(self, kind: str, caller: Caller) -> Command:
        arguments = ("revoke", *self.name(kind, caller), "--json")
        return await asyncio.to_thread(self.gateways.run, *arguments, stdin=caller.token)

    async def wait_for_status(self, status: str, database: str) -> None:
        """Wait until `/readyz` of each gateway says this."""
        async with asyncio.timeout(20):
            found = set[tuple[object, object]]()
            while found != {(status, database)}:
                await asyncio.sleep(0.02)
                found = set(await asyncio.to_thread(self.read_status))

    def read_status(self) -> list[tuple[object, object]]:
        ready = [send_request("GET", f"http://127.0.0.1:{it}/readyz").json() for it in self.ports]
        return [(it["status"], it["database"]) for it in ready]

    def require_steady(self) -> None:
        """Require that no good token was refused, and no revoked one accepted again."""
        assert [it.statuses for it in self.good] == [[200]] * len(self.good)
        assert [it.statuses[-1] for it in self.revoked] == [401] * len(self.revoked)


async def revoke_each_kind(scene: Scene, title: str, others: str) -> None:
    """Revoke callers by token, subject, client and issuer; print and bound the delays."""
    for kind in ("token", "subject", "client", "issuer"):
        caller = issue(others if kind == "issuer" else ISSUER)
        async with AsyncExitStack() as stack:
            watches = await stack.enter_async_context(watch(scene.ports, [caller]))
            for it in watches:
                await it.wait_for(200)
            streams = [
                await open_stream(port, stream, caller)
                for port in scene.ports
                for stream in ("events", "websocket")
            ]
            command = await scene.run(kind, caller)
            assert command.status == 0, command.errors
            seq = json.loads(command.output)["journal_entry"]
            written = await asyncio.to_thread(scene.gateways.read_time, seq)
            refused = max([await it.wait_for(401) for it in watches])
            async with asyncio.timeout(10):
                ended = max([await it for it in streams])
            await asyncio.sleep(0.3)
            assert [it.statuses for it in watches] == [[200, 401]] * PROCESSES
        print(
            f"{title}, {kind}: refused {refused - written:.2f} s after the journal entry, streams "
            f"and WebSockets ended after {ended - written:.2f} s; the command ended after "
            f"{command.ended - written:.2f} s, and took {command.seconds:.2f} s",
            flush=True,
        )
        assert refused - command.ended < 1
        assert ended - command.ended < 1
        scene.slowest = max(scene.slowest, command.seconds)
    scene.require_steady()


async def require_served(scene: Scene) -> None:
    """Require that a good token that no process has seen is served by all of them."""
    async with watch(scene.ports, [issue()]) as watches:
        for it in watches:
            await it.wait_for(200)
        assert [it.statuses for it in watches] == [[200]] * PROCESSES


async def prove_without_database(scene: Scene, title: str) -> None:
    """Nothing can be revoked, and the rest goes on."""
    command = await scene.run("subject", issue())
    assert command.status == 1
    assert command.errors.startswith("lockgate: database_url: the database "), command.errors
    assert " cannot be used: " in command.errors
    assert command.seconds < 2 * scene.slowest + TIMEOUT
    await scene.wait_for_status("degraded", "unavailable")
    await require_served(scene)
    scene.require_steady()
    print(f"{title}: the command failed after {command.seconds:.2f} s", flush=True)


async def prove_recovery(scene: Scene, title: str) -> None:
    began = time.monotonic()
    await scene.wait_for_status("ok", "ok")
    print(f"{title}: all are ok again after {time.monotonic() - began:.2f} s", flush=True)
    scene.require_steady()


def get_ports(gateways: Sequence[ServeProcess]) -> list[int]:
    return [int(it.url.rpartition(":")[2]) for it in gateways]


async def prove_while_running(
    gateways: RevocableGateways, server: Server, redis: RedisServer | None
) -> list[Caller]:
    """Revoke in each failure of a running gateway; return callers that are revoked."""
    revoked = [issue() for _ in range(2)]
    with gateways.serve(PROCESSES) as processes:
        ports = await asyncio.to_thread(get_ports, processes)
        await Scene(gateways, ports, [], []).wait_for_status("ok", "ok")
        good = [issue() for _ in range(GOOD_TOKENS)]
        async with watch(ports, good) as watches, watch(ports, revoked) as lost:
            scene = Scene(gateways, ports, watches, lost)
            for it in [*watches, *lost]:
                await it.wait_for(200)
            for caller in revoked:
                assert (await scene.run("token", caller)).status == 0
            for it in lost:
                await it.wait_for(401)
            await revoke_each_kind(scene, "all is up", OTHERS[0])
            server.kill()
            await prove_without_database(scene, "without the database")
            server.start()
            await prove_recovery(scene, "the database is back")
            if redis is not None:
                redis.kill()
                await revoke_each_kind(scene, "without Redis", OTHERS[1])
                server.kill()
                await prove_without_database(scene, "without both")
                server.start()
                redis.start()
                await prove_recovery(scene, "both are back")
            await revoke_each_kind(scene, "after all", OTHERS[2])
        total = sum(it.requests for it in [*watches, *lost])
        print(f"{total:,} requests; no good one was refused", flush=True)
    return revoked


async def prove_restart(
    gateways: RevocableGateways, server: PostgresqlServer, revoked: list[Caller]
) -> None:
    """Start while the database is down: nothing is accepted until the revocations are read."""
    server.kill()
    with gateways.serve(PROCESSES) as processes:
        ports = await asyncio.to_thread(get_ports, processes)
        async with watch(ports, [issue()]) as good, watch(ports, revoked) as lost:
            scene = Scene(gateways, ports, good, lost)
            for it in [*good, *lost]:
                await it.wait_for(503)
            assert scene.read_status() == [("unavailable", "loading")] * PROCESSES
            server.start()
            began = time.monotonic()
            served = [await it.wait_for(200) - began for it in good]
            for it in lost:
                await it.wait_for(401)
            await asyncio.sleep(0.3)
        assert [it.statuses for it in good] == [[503, 200]] * len(good)
        assert [it.statuses for it in lost] == [[503, 401]] * len(lost)
        print(f"started without the database: served {max(served):.2f} s after it", flush=True)


async def prove_restart_of_file(
    gateways: RevocableGateways, file: File, revoked: list[Caller]
) -> None:
    """With a file that cannot be read, nothing starts; later, revoked tokens are never served."""
    file.kill()
    with gateways.serve(1) as [gateway]:
        assert await asyncio.to_thread(gateway.process.wait, 90) == 2
        assert "cannot be used: it is locked by another" in gateway.log.read_text()
    file.start()
    with gateways.serve(PROCESSES) as processes:
        ports = await asyncio.to_thread(get_ports, processes)
        async with watch(ports, [issue()]) as good, watch(ports, revoked) as lost:
            for it in good:
                await it.wait_for(200)
            for it in lost:
                await it.wait_for(401)
        assert not any(200 in it.statuses for it in lost)


@contextmanager
def create(gateways: RevocableGateways) -> Iterator[None]:
    assert gateways.run("db", "upgrade").status == 0
    yield
    done = gateways.run("journal", "verify")
    assert done.status == 0, done.errors
    print(done.output.strip(), flush=True)


async def test_with_postgresql_and_redis(
    own_postgresql: PostgresqlServer, own_redis: RedisServer, tmp_path: Path
) -> None:
    url = own_postgresql.create_database()
    async with serve_load() as port:
        issuers = [ISSUER, *OTHERS]
        gateways = RevocableGateways(tmp_path, url, port, issuers, own_redis.url)
        with create(gateways):
            revoked = await prove_while_running(gateways, own_postgresql, own_redis)
            await prove_restart(gateways, own_postgresql, revoked)


async def test_with_a_file_that_four_processes_share(tmp_path: Path) -> None:
    file = File(tmp_path / "lockgate.db")
    async with serve_load() as port:
        gateways = RevocableGateways(tmp_path, file.create_database(), port, [ISSUER, *OTHERS])
        with create(gateways):
            revoked = await prove_while_running(gateways, file, None)
            await prove_restart_of_file(gateways, file, revoked)
