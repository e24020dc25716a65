"""1,000 clients that are killed at random moments leave no task, socket or memory behind."""

import asyncio
import gc
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import HttpUrl

from gateway.app import build_app
from gateway.app_loader import Application
from gateway.proxy.stream_limit import StreamLimit
from gateway.server.lifecycle import open_server
from gateway.settings.schema import Server, Service, Settings
from tests.e2e.byte_service import run_byte_service
from tests.e2e.transfers import Target, download
from tests.proofs.proxied.routes import FILES
from tests.running_demo import ROOT

CLIENTS, WARM_UP = 1_000, 2_000
SEEDS = (1, 2)
MAX_GROWTH_MB = 10
SETTLE_SECONDS = 20

pytestmark = [pytest.mark.prove, pytest.mark.timeout(300)]


@dataclass(frozen=True)
class Counts:
    """What this process holds. `objects` are those that the garbage collector tracks."""

    tasks: int
    sockets: int
    streams: int
    objects: int
    rss_mb: float


async def run_clients(port: int, count: int, seed: int) -> str:
    """Run the clients in a process of their own; return what it prints."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.e2e.killed_clients", str(port), str(count), str(seed),
        cwd=ROOT, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, _ = await process.communicate()
    assert process.returncode == 0
    return output.decode().strip()


def count(streams: StreamLimit) -> Counts:
    gc.collect()
    sockets = [
        entry
        for entry in Path("/proc/self/fd").iterdir()
        if entry.is_symlink() and str(entry.readlink()).startswith("socket:")
    ]
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return Counts(
        len(asyncio.all_tasks()), len(sockets), streams.count, len(gc.get_objects()), pages / 256
    )


async def wait_until_settled(streams: StreamLimit, expected: Counts | None = None) -> Counts:
    """Wait until tasks, sockets and streams are as expected, or no longer change."""
    async with asyncio.timeout(SETTLE_SECONDS):
        before = None
        while True:
            now = count(streams)
            held = (now.tasks, now.sockets, now.streams)
            wanted = (expected.tasks, expected.sockets, expected.streams) if expected else before
            if held == wanted:
                return now
            before = held
            await asyncio.sleep(2.5)  # longer than a service's idle connection is kept


async def test_1000_killed_clients_leave_nothing_behind() -> None:
    with run_byte_service() as port:
        settings = Settings(
            upstreams={"files": Service(url=HttpUrl(f"http://127.0.0.1:{port}"), idle_seconds=1)},
            server=Server(host="127.0.0.1", port=0, max_streams_per_caller=1_000),
        )
        app = build_app(settings, Application(proxies=[FILES]))
        async with open_server(app, settings.server) as server:
            streams: StreamLimit = app.state.resources[StreamLimit]
            public_port = int(server.url.rpartition(":")[2])
            await run_clients(public_port, WARM_UP, seed=0)
            start = await wait_until_settled(streams)
            for seed in SEEDS:
                killed = await run_clients(public_port, CLIENTS, seed)
                end = await wait_until_settled(streams, start)
                print(f"killed {killed}: {end}; at the start {start}", flush=True)
                assert end.objects < start.objects + CLIENTS
                assert end.rss_mb < start.rss_mb + MAX_GROWTH_MB
            await asyncio.to_thread(download, Target(public_port, "/files/bytes/1000"), 1000)
