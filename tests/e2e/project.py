"""A project that `lockgate new` writes, whose commands run with the wheel of this repository."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.installed_wheel import DEPENDENCIES
from tests.running_demo import ROOT, Demo


class Project:
    """The project in a folder. Its tools are those of this environment, except for Lockgate."""

    def __init__(self, folder: Path, installation: Path) -> None:
        self.folder = folder
        tools = installation.parent / f"tools-of-{installation.name}"
        tools.mkdir(exist_ok=True)
        for name, module in {"lockgate": "gateway.cli", "ruff": "ruff"}.items():
            _write_tool(tools / name, f'exec {sys.executable} -S -m {module} "$@"')
        _write_tool(tools / "mypy", f'exec {sys.executable} -m mypy "$@"')
        _write_tool(tools / "python", f'exec {sys.executable} -S "$@"')
        self._environment = {
            "PATH": f"{tools}:{os.environ['PATH']}",
            "PYTHONPATH": f"{installation}:{DEPENDENCIES}",
            "MYPYPATH": f"{folder}:{installation}",
            # With a cache of the dependencies, which are the same in each run, mypy is much faster.
            "MYPY_CACHE_DIR": str(ROOT / ".mypy_cache" / "new-projects"),
        }

    def run(self, command: str) -> str:
        """Run a shell command in the folder and return what it prints; it must succeed."""
        done = subprocess.run(
            ["bash", "-euc", command],
            cwd=self.folder, env=self._environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    @contextmanager
    def start(self) -> Iterator[Demo]:
        """Run the command of `make run` on free ports until the block ends."""
        package = self.folder.name.replace("-", "_")
        variables = {
            "LOCKGATE_APP__PACKAGE": package,
            "LOCKGATE_DEMO__LATENCY_MS": "0",
            "PYTHONPATH": f"{self.folder}:{self._environment['PYTHONPATH']}",
        }
        with subprocess.Popen(
            ["lockgate", "demo", "--any-ports"],
            cwd=self.folder, env=self._environment | variables, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        ) as process:  # fmt: skip
            try:
                yield Demo(process, _read_welcome(process))
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(20)


def _read_welcome(process: "subprocess.Popen[str]") -> str:
    output = ""
    assert process.stdout
    for line in process.stdout:
        output += line
        if "Ctrl-C" in line:
            return output
    raise AssertionError(f"the demo exited: {output}")


def _write_tool(path: Path, command: str) -> None:
    path.write_text(f"#!/bin/sh\n{command}\n")
    path.chmod(0o755)
