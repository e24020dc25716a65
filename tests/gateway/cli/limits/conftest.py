"""An ops app beside a gateway, on a real socket in a thread, and a terminal to confirm on."""

import asyncio
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread

import pytest

from gateway.cli.limits import ops_address
from gateway.cli.limits.ops_address import OpsAddress
from gateway.cli.limits.ops_client import OpsClient
from gateway.cli.main import main
from gateway.ops.models import Limit
from gateway.ops.ops_scopes import READ, WRITE
from gateway.settings.schema import Settings
from tests.databases import create_file
from tests.gateway.ops.ops_server import OpsServer, make_settings, run_ops


@dataclass
class Ops:
    """The ops app; `run` runs `lockgate limits` with its address and a token for everything."""

    server: OpsServer
    loop: asyncio.AbstractEventLoop
    capsys: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch

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

    def open_client(self, *scopes: str) -> OpsClient:
        """Return a client with a token for these scopes."""
        return OpsClient(OpsAddress(self.server.url, self.server.token(*scopes)))

    def get(self, policy: str = "dashboards") -> Limit:
        """Return a policy."""
        with self.open_client(READ) as client:
            return client.get_limit(policy)

    def store_document(self, document: Mapping[str, object], policy: str = "dashboards") -> None:
        """Store the first live document of a policy, also one that has ended."""
        storing = self.server.store_document(document, policy)
        asyncio.run_coroutine_threadsafe(storing, self.loop).result(20)

    def type_line(self, text: str) -> None:
        """Let standard input be a terminal on which this line is typed."""
        self.monkeypatch.setattr(sys, "stdin", Input(text, is_terminal=True))

    def send_requests(self, user: str, count: int) -> int:
        """Let a user send requests under `dashboards`; return how many are admitted."""
        sending = self.server.send_requests(user, count)
        return asyncio.run_coroutine_threadsafe(sending, self.loop).result(60)


@dataclass
class Input:
    """Standard input with one line."""

    line: str
    is_terminal: bool

    def isatty(self) -> bool:
        return self.is_terminal

    def readline(self, _: int = -1) -> str:
        return self.line


@dataclass
class _Served:
    """The app that a thread serves until it is stopped."""

    settings: Settings
    started: Event = field(default_factory=Event)
    stopping: Event = field(default_factory=Event)
    found: list[tuple[OpsServer, asyncio.AbstractEventLoop]] = field(default_factory=list)

    async def serve(self) -> None:
        async with run_ops(self.settings) as server:
            self.found.append((server, asyncio.get_running_loop()))
            self.started.set()
            await asyncio.to_thread(self.stopping.wait)


@pytest.fixture(autouse=True)
def _no_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    """A demo may run on this machine."""
    monkeypatch.setattr(ops_address, "request_operator_token", lambda _: None)


@pytest.fixture
def ops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Ops]:
    """An ops app with a database."""
    with make_settings() as settings:
        database = {"database_url": create_file(tmp_path)}
        yield from _serve(settings.model_copy(update=database), monkeypatch, capsys)


@pytest.fixture
def ops_without_database(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Ops]:
    """An ops app that can change nothing."""
    with make_settings(has_database=False) as settings:
        yield from _serve(settings, monkeypatch, capsys)


def _serve(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Ops]:
    served = _Served(settings)
    thread = Thread(target=asyncio.run, args=(served.serve(),))
    thread.start()
    assert served.started.wait(60)
    server, loop = served.found[0]
    monkeypatch.setenv("LOCKGATE_OPS_URL", server.url)
    monkeypatch.setenv("LOCKGATE_OPS_TOKEN", server.token(READ, WRITE))
    monkeypatch.setattr(sys, "stdin", Input("", is_terminal=False))
    yield Ops(server, loop, capsys, monkeypatch)
    served.stopping.set()
    thread.join(60)
