"""Starts and stops the processes of a run."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench import pinning

_START_TIMEOUT = 90.0  # under valgrind and on a busy machine


@dataclass(frozen=True, slots=True)
class Command:
    """A command line; `environment` is added to PATH and HOME."""

    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path = Path("/")


def find_free_port() -> int:
    """Find a loopback port that is currently free."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def start_process(
    command: Command, *, cores: set[int], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command during the block, on these cores; its output goes to the log."""
    with log.open("wb") as output, pinning.pin_to(cores):
        process = subprocess.Popen(
            command.arguments,
            cwd=command.folder,
            env={
                "PATH": os.environ["PATH"],
                "HOME": os.environ.get("HOME", "/"),
                **command.environment,
            },
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        _stop(process)


def wait_until_serving(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Wait until the port accepts connections.

    Raises:
        RuntimeError: the process has exited, or 90 s have passed; with the end of its log.
    """
    ends_at = time.monotonic() + _START_TIMEOUT
    while process.poll() is None and time.monotonic() < ends_at:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    end_of_log = log.read_text(errors="replace")[-2000:]
    raise RuntimeError(f"the process does not accept connections on port {port}:\n{end_of_log}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Stop the process group that the process leads."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)
