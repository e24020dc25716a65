"""An ops app on a real socket in a thread, which all tests share, and a terminal to confirm on."""

import asyncio
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from threading import Event, Thread
from typing import Any

import pytest

from gateway.cli.main import main
from gateway.ops.interfaces import LimitStore
from gateway.ops.scopes import READ, WRITE
from tests.gateway.ops.memory_sources import MemoryLimits
from tests.gateway.ops.ops_server import OpsServer, serve_ops


@dataclass
class Ops:
    """The ops app; `run` runs `lockgate limits` with its address and a token for everything."""

    server: OpsServer
    capsys: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch

    @property
    def store(self) -> MemoryLimits:
        store: MemoryLimits = self.server.resources[LimitStore]
        return store

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Return the exit status, standard output and standard error."""
        status = main(["limits", *arguments])
        printed = self.capsys.readouterr()
        return status, printed.out, printed.err

    def print(self, *arguments: str) -> str:
        """Return the output of a command that succeeds."""
        status, output, errors = self.run(*arguments)
        assert status == 0, errors
        return output

    def answer(self, text: str) -> None:
        """Let standard input be a terminal on which this line is typed."""
        self.monkeypatch.setattr(sys, "stdin", Terminal(text))


@dataclass
class Terminal:
    """A terminal on which a line is typed."""

    line: str

    def isatty(self) -> bool:
        return True

    def readline(self, _: int = -1) -> str:
        return self.line


@pytest.fixture(scope="session")
def _server() -> Iterator[OpsServer]:
    started, stopping, served = Event(), Event(), list[OpsServer]()

    async def serve() -> None:
        async with serve_ops() as server:
            served.append(server)
            started.set()
            await asyncio.to_thread(stopping.wait)

    thread = Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert started.wait(20)
    yield served[0]
    stopping.set()
    thread.join(20)


@pytest.fixture
def ops(
    _server: OpsServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Ops:
    monkeypatch.setenv("LOCKGATE_OPS_URL", _server.url)
    monkeypatch.setenv("LOCKGATE_OPS_TOKEN", _server.token(READ, WRITE))
    monkeypatch.setattr(sys, "stdin", open_null())
    found = Ops(_server, capsys, monkeypatch)
    vars(found.store).update(vars(MemoryLimits()))
    return found


def open_null() -> Any:
    """Return an input without a terminal, whose first line is empty."""
    terminal = Terminal("")
    terminal.isatty = lambda: False  # type: ignore[method-assign]
    return terminal
