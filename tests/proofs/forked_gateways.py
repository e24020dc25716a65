"""Serves gateways in forked processes, which start in a quarter of a second, and kills them.

As a program, it builds the gateway of its environment once. For each line, the path of a log, it
forks a process that serves, and prints its process id and its port; then its exit status.
"""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

from gateway.cli.check import CheckedGateway, require_valid
from gateway.server.lifecycle import open_server
from gateway.storage.open_storage import Storage
from gateway.telemetry.log_writer import log_to_stderr
from tests.e2e.serve_process import ON_ANY_PORT
from tests.running_demo import ROOT


@dataclass(frozen=True)
class ForkedGateways:
    """Gateways with one environment, one at a time; `folder` has a log of each."""

    folder: Path
    forking: subprocess.Popen[str]
    _numbers: Iterator[int] = field(default_factory=count)

    @contextmanager
    def serve(self) -> Iterator[int]:
        """Serve until the end of the block, which kills the gateway; return the port. Blocks."""
        log = self.folder / f"{next(self._numbers)}.log"
        log.touch()
        assert self.forking.stdin is not None
        self.forking.stdin.write(f"{log}\n")
        self.forking.stdin.flush()
        printed = self._read()
        assert len(printed) == 2, log.read_text()
        pid, port = printed
        try:
            yield port
        finally:
            os.kill(pid, signal.SIGKILL)
            assert self._read() == [-signal.SIGKILL], log.read_text()

    def _read(self) -> list[int]:
        assert self.forking.stdout is not None
        return [int(it) for it in self.forking.stdout.readline().split()]


@contextmanager
def open_gateways(
    folder: Path, environment: Mapping[str, str], program: str = "tests.proofs.forked_gateways"
) -> Iterator[ForkedGateways]:
    """Run a program that calls `fork_each` until the end. The database must have the schema."""
    folder.mkdir()
    with subprocess.Popen(
        [sys.executable, "-m", *program.split()], cwd=ROOT,
        env={**ON_ANY_PORT, **environment},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        yield ForkedGateways(folder, process)
        assert process.stdin is not None
        process.stdin.close()


Act = Callable[[CheckedGateway], Awaitable[object]]


async def _wait(_: CheckedGateway) -> None:
    await asyncio.Event().wait()


async def _serve(gateway: CheckedGateway, act: Act) -> None:
    """Serve, and act once the gateway has read its database."""
    assert gateway.app is not None
    async with open_server(gateway.app, gateway.settings.server) as server:
        storage: Storage = gateway.app.state.resources[Storage]
        await storage.feed.refresh()  # a poll may come later
        print(os.getpid(), urlsplit(server.url).port, flush=True)
        await act(gateway)


def _run(gateway: CheckedGateway, log: str, act: Act) -> None:
    """Serve in the child."""
    os.dup2(os.open(log, os.O_WRONLY | os.O_APPEND), sys.stderr.fileno())
    with log_to_stderr(gateway.settings.log):
        asyncio.run(_serve(gateway, act))


def fork_each(act: Act = _wait) -> None:
    """Fork a gateway for each line of the standard input; it does this until it is killed."""
    gateway = require_valid(None, {})
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            _run(gateway, line.rstrip(), act)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


if __name__ == "__main__":
    fork_each()
