"""Runs `lockgate ops`, or `lockgate serve` with its ops port, in forked processes.

It is a program for `open_gateways`: `tests.proofs.forked_ops ops`. The port is that of the ops app.
"""

import json
import os
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

from gateway.cli.check import require_valid
from gateway.cli.main import main

PROGRAM = "tests.proofs.forked_ops"
_START_SECONDS = 60


def _run(log: str, subcommand: str) -> None:
    """Run the command in the child, which ends when it is killed."""
    os.dup2(os.open(log, os.O_WRONLY | os.O_APPEND), sys.stderr.fileno())
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    os._exit(main([subcommand]))


def _wait_for_port(log: str) -> int | None:
    """Return the port of the ops app once it has started, or None if it does not."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        for line in Path(log).read_text().splitlines(keepends=True):
            if line.endswith("\n") and line.startswith("{"):
                event = json.loads(line)
                if event["event"] == "ops.started":
                    return urlsplit(str(event["url"])).port
        time.sleep(0.01)
    return None


def _fork_each(subcommand: str) -> None:
    """Fork a process for each line of the standard input; it runs until it is killed."""
    require_valid(None, {})  # imports what every child needs
    for line in sys.stdin:
        log = line.rstrip()
        pid = os.fork()
        if pid == 0:
            _run(log, subcommand)
        print(pid, _wait_for_port(log) or "", flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


if __name__ == "__main__":
    _fork_each(sys.argv[1])
