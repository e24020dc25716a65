"""Runs commands of `lockgate` in forked processes, which start within milliseconds, and kills them.

As a program, it reads a JSON object a line: `arguments`, further `variables`, the paths `stdin`,
`stdout` and `stderr`, and `seconds` after which the process is killed, or null. It prints the exit
status, which is -9 if it was killed.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gateway.cli.main import build_parser, main
from gateway.settings.schema import Settings
from gateway.storage.open_storage import create_database
from tests.running_demo import ROOT


@dataclass(frozen=True)
class Outcome:
    """What a command has printed until it ended or was killed."""

    status: int
    output: str
    errors: str
    seconds: float


@dataclass(frozen=True)
class Commands:
    """Commands with one environment; their files are in `folder`."""

    folder: Path
    environment: Mapping[str, str]
    forking: subprocess.Popen[str]
    variables: Mapping[str, str] = field(default_factory=dict)

    def with_variables(self, **variables: str) -> "Commands":
        """Return the same with variables added to the environment of forked processes."""
        return replace(self, variables=variables)

    def run(
        self, arguments: Sequence[str], stdin: str = "", *, kill_after: float | None = None
    ) -> Outcome:
        """Run a command in a forked process."""
        files = self._create_files(stdin)
        order = {
            "arguments": arguments,
            "seconds": kill_after,
            "variables": self.variables,
            **files,
        }
        assert self.forking.stdin is not None
        assert self.forking.stdout is not None
        began = time.monotonic()
        self.forking.stdin.write(json.dumps({**order, **files}) + "\n")
        self.forking.stdin.flush()
        status = int(self.forking.stdout.readline())
        return _read(files, status, began)

    def run_whole(self, arguments: Sequence[str], stdin: str, *, kill_after: float) -> Outcome:
        """Run a command in a new process, and kill it, perhaps while Python starts."""
        files = self._create_files(stdin)
        began = time.monotonic()
        command = [sys.executable, "-m", "gateway.cli", *arguments]
        with (
            Path(files["stdin"]).open() as source,
            Path(files["stdout"]).open("w") as output,
            Path(files["stderr"]).open("w") as errors,
        ):
            process = subprocess.Popen(
                command, cwd=ROOT, env=self.environment, stdin=source, stdout=output, stderr=errors
            )
            with suppress(subprocess.TimeoutExpired):
                process.wait(kill_after)
            process.kill()
            return _read(files, process.wait(), began)

    def _create_files(self, stdin: str) -> dict[str, str]:
        files = {name: str(self.folder / name) for name in ("stdin", "stdout", "stderr")}
        for name, path in files.items():  # the former command may have left output
            Path(path).write_text(stdin if name == "stdin" else "")
        return files


def _read(files: Mapping[str, str], status: int, began: float) -> Outcome:
    seconds = time.monotonic() - began
    output, errors = (Path(files[it]).read_text() for it in ("stdout", "stderr"))
    return Outcome(status, output, errors, seconds)


@contextmanager
def open_commands(folder: Path, environment: Mapping[str, str]) -> Iterator[Commands]:
    """Run the program until the end of the block."""
    folder.mkdir()
    with subprocess.Popen(
        [sys.executable, "-m", "tests.proofs.forked_commands"],
        cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        yield Commands(folder, environment, process)
        assert process.stdin is not None
        process.stdin.close()


def _fork(order: Mapping[str, Any]) -> int:
    pid = os.fork()
    if pid == 0:
        _run(order)
    seconds = order["seconds"]
    if seconds is not None:
        time.sleep(seconds)
        os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _run(order: Mapping[str, Any]) -> None:
    """Run the command in the child, and end it."""
    opened = {"stdin": os.O_RDONLY, "stdout": os.O_WRONLY, "stderr": os.O_WRONLY}
    for number, (name, flags) in enumerate(opened.items()):
        os.dup2(os.open(order[name], flags), number)
    os.environ.update(order["variables"])
    try:
        status = main(order["arguments"])
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _serve() -> None:
    build_parser()
    create_database(Settings(database_url=os.environ["LOCKGATE_DATABASE_URL"])).close()
    for line in sys.stdin:
        print(_fork(json.loads(line)), flush=True)


if __name__ == "__main__":
    _serve()
