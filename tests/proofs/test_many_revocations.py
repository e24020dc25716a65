"""100,000 revocations: memory and start time of a process, and how long they hold its loop."""

import asyncio
import gc
import json
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert

from gateway.auth.clock import Clock
from gateway.auth.revocation_check import RevocationCheck
from gateway.auth.revocation_index import RevocationKind
from gateway.cli.gc_tuning import tune_gc
from gateway.resources import Resources
from gateway.revocation.revocation_replica import RevocationReplica
from gateway.revocation.revoke import ACTION
from gateway.settings.schema import Settings
from gateway.storage.journal import compute_hash, read_head
from gateway.storage.open_storage import create_database, open_storage
from gateway.storage.tables import journal, revocations
from gateway.storage.upgrade import upgrade_schema
from gateway.storage.verify_journal import verify_journal
from tests.e2e.serve_process import ServeProcess
from tests.proofs.revocable_gateways import ISSUER, Caller, RevocableGateways, issue
from tests.running_demo import send_request

NUMBER, BATCH = 100_000, 10_000
MAX_HOLD_SECONDS = 0.02
MAX_BYTES_EACH = 500

pytestmark = [pytest.mark.prove, pytest.mark.timeout(600)]


def insert_revocations(connection: Connection, first: int) -> None:
    """Insert BATCH revocations with their journal entries, as as many commands would have."""
    entries, rows = list[dict[str, object]](), list[dict[str, object]]()
    seq, previous = read_head(connection)
    now = time.time_ns() // 1_000
    for number in range(first, first + BATCH):
        seq += 1
        entry: dict[str, object] = {
            "seq": seq,
            "at": now,
            "actor": "jane",
            "action": ACTION,
            "subject": f"id-{number:032}",
            "reason": "",
            "details": "{}",
            "previous_hash": previous,
        }
        previous = compute_hash(entry)
        entries.append({**entry, "hash": previous})
        rows.append(
            {
                "seq": seq,
                "kind": RevocationKind.TOKEN.value,
                "issuer": ISSUER,
                "value": f"id-{number:032}",
                "issued_before": 0,
                "expires_at": now + 3_600_000_000,
            }
        )
    connection.execute(insert(journal), entries)
    connection.execute(insert(revocations), rows)


def create(url: str) -> None:
    database = create_database(Settings(database_url=url), timeout=120)
    database.write_now(upgrade_schema)
    database.close()


def fill(url: str) -> None:
    database = create_database(Settings(database_url=url), timeout=120)
    for first in range(0, NUMBER, BATCH):
        database.write_now(partial(insert_revocations, first=first))
    assert database.read_now(verify_journal).seq >= NUMBER
    database.close()


def read_memory(gateway: ServeProcess) -> int:
    """Return the resident memory in bytes."""
    status = Path(f"/proc/{gateway.process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) * 1_024


def wait_until_ready(gateway: ServeProcess) -> None:
    deadline = time.monotonic() + 60
    while send_request("GET", f"{gateway.url}/readyz").status_code != 200:
        assert time.monotonic() < deadline, gateway.log.read_text()
        time.sleep(0.01)


def measure_start(gateways: RevocableGateways, caller: Caller, status: int) -> tuple[float, int]:
    """Return the seconds until a gateway is ready, and its memory."""
    with gateways.serve(1) as [gateway]:
        began = time.monotonic()
        wait_until_ready(gateway)
        seconds = time.monotonic() - began
        headers = {"Authorization": f"Bearer {caller.token}"}
        response = send_request("GET", f"{gateway.url}/service/none", headers=headers)
        assert response.status_code == status
        return seconds, read_memory(gateway)


def test_memory_and_start_time(database_url: str, tmp_path: Path) -> None:
    """The service is not there: a token that is accepted gets a 503 about it."""
    gateways, caller = RevocableGateways(tmp_path, database_url, service_port=1), issue()
    create(database_url)
    measure_start(gateways, caller, 503)  # compiles the bytecode
    empty = [measure_start(gateways, caller, 503) for _ in range(3)]
    fill(database_url)
    full = [measure_start(gateways, caller, 503) for _ in range(3)]
    named = ["--id", caller.token_id, "--issuer", ISSUER]
    done = gateways.run("revoke", "token", *named, "--json")
    assert json.loads(done.output)["journal_entry"] == NUMBER + 1
    measure_start(gateways, caller, 401)
    bytes_each = (min(full)[1] - min(empty)[1]) / NUMBER
    print(
        f"{database_url.partition(':')[0]}: ready after {min(empty)[0]:.2f} s without revocations, "
        f"after {min(full)[0]:.2f} s with {NUMBER:,}, which take {bytes_each * NUMBER / 1e6:.1f} MB"
        f"; `lockgate revoke` beside them took {done.seconds:.2f} s",
        flush=True,
    )
    assert bytes_each < MAX_BYTES_EACH


@pytest.fixture
def gc_of_a_server() -> Iterator[None]:
    """Tune the garbage collector as `lockgate serve` does."""
    thresholds = gc.get_threshold()
    tune_gc()
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()


async def watch_loop(holds: list[float], lags: list[float]) -> None:
    """Measure, until cancelled, the CPU time and the time between two turns of the loop."""
    while True:
        cpu, now = time.thread_time(), time.monotonic()
        await asyncio.sleep(0.001)
        holds.append(time.thread_time() - cpu)
        lags.append(time.monotonic() - now - 0.001)


@pytest.mark.usefixtures("gc_of_a_server")
async def test_the_loop_is_held_for_short_times_while_they_are_loaded(database_url: str) -> None:
    """The CPU time of the loop's thread counts: other processes may take the core meanwhile."""
    await asyncio.to_thread(create, database_url)
    await asyncio.to_thread(fill, database_url)
    settings, check = Settings(database_url=database_url), RevocationCheck(60, {})
    holds, lags = list[float](), list[float]()
    async with open_storage(settings, Resources()) as storage:
        assert storage is not None
        storage.feed.add(RevocationReplica(check, Clock()))
        watching, began = asyncio.create_task(watch_loop(holds, lags)), time.monotonic()
        await storage.feed.refresh()
        seconds = time.monotonic() - began
        watching.cancel()
    print(
        f"{database_url.partition(':')[0]}: {NUMBER:,} revocations are loaded in {seconds:.2f} s; "
        f"the loop runs {max(holds) * 1e3:.1f} ms at most between two turns, and lags "
        f"{max(lags) * 1e3:.1f} ms",
        flush=True,
    )
    assert len(check) == NUMBER
    assert max(holds) < MAX_HOLD_SECONDS
