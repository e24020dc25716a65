"""`JsonProcess`: a child process that reads and writes lines of JSON."""

import json
import subprocess
import sys
from typing import Any

CLOSE_SECONDS = 60  # the machine may be busy


class JsonProcess:
    """Runs a module with these arguments, until `close`."""

    def __init__(self, module: str, *arguments: str) -> None:
        command = [sys.executable, "-m", module, *arguments]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def send(self, message: object) -> None:
        """Write a line to its input."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()

    def receive(self) -> Any:
        """Wait for a line of its output."""
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        """End its input, and wait for its end."""
        self._process.communicate(timeout=CLOSE_SECONDS)
