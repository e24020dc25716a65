"""A project of one's own, from an empty folder and the wheel: every step is green."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.installed_wheel import DEPENDENCIES, run
from tests.running_demo import Demo, send_request

SHOP = re.compile(
    r"dashboard|storefront|notifications|recommendations|catalog|loyalty", re.IGNORECASE
)


class Project:
    """A project in a folder, whose `make` runs with the wheel instead of this repository."""

    def __init__(self, folder: Path, installation: Path) -> None:
        self.folder = folder
        tools = folder.parent / "tools"
        tools.mkdir()
        for name, module in {"lockgate": "gateway.cli", "ruff": "ruff"}.items():
            _write_tool(tools / name, f'exec {sys.executable} -S -m {module} "$@"')
        _write_tool(tools / "mypy", f'exec {sys.executable} -m mypy "$@"')
        _write_tool(tools / "python", f'exec {sys.executable} -S "$@"')
        self._environment = {
            "PATH": f"{tools}:{os.environ['PATH']}",
            "PYTHONPATH": f"{installation}:{DEPENDENCIES}",
            "MYPYPATH": f"{folder}:{installation}",
        }

    def make(self, *targets: str) -> str:
        """Run targets and return what they print, without errors."""
        done = subprocess.run(
            ["make", *targets],
            cwd=self.folder, env=self._environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    @contextmanager
    def run(self) -> Iterator[Demo]:
        """Run `make run` on free ports until the block ends."""
        with subprocess.Popen(
            ["lockgate", "demo", "--any-ports"],
            cwd=self.folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={**self._environment, "LOCKGATE_APP__PACKAGE": self.folder.name,
                 "PYTHONPATH": f"{self.folder}:{self._environment['PYTHONPATH']}",
                 "LOCKGATE_DEMO__LATENCY_MS": "0"},
        ) as process:  # fmt: skip
            try:
                assert process.stdout
                output = ""
                for line in process.stdout:
                    output += line
                    if "Ctrl-C" in line:
                        break
                yield Demo(process, output)
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(20)


def _write_tool(path: Path, command: str) -> None:
    path.write_text(f"#!/bin/sh\n{command}\n")
    path.chmod(0o755)


@pytest.fixture(scope="module")
def project(installation: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A new project with a service called `orders` and a page over both services."""
    folder = tmp_path_factory.mktemp("empty")
    for where, arguments in [
        (folder, ["acme"]),
        (folder / "acme", ["service", "orders"]),
        (folder / "acme", ["service", "parcels"]),
        (folder / "acme", ["composite", "overview", "--service", "orders", "--service", "parcels"]),
    ]:
        done = run_new(installation, where, arguments)
        assert done.returncode == 0, done.stderr
    return Project(folder / "acme", installation)


def run_new(
    installation: Path, folder: Path, arguments: Sequence[str]
) -> subprocess.CompletedProcess[str]:
    return run(installation, folder, "-m", "gateway.cli", "new", *arguments)


@pytest.mark.timeout(180)
def test_its_checks_and_tests_pass(project: Project) -> None:
    started_at = time.monotonic()
    output = project.make("check", "test")
    print(f"make check test: {time.monotonic() - started_at:.1f} s")
    assert re.search(r"\d+ passed", output)
    assert not re.search(r"failed|skipped|warning", output)
    assert not SHOP.search(output)


def test_it_serves_its_pages_with_fakes(project: Project) -> None:
    with project.run() as demo:
        assert sorted(demo.services) == ["messages", "orders", "parcels"]
        headers = {"Authorization": f"Bearer {demo.token}"}
        inbox = send_request("GET", f"{demo.url}/inbox/42", headers=headers)
        demo.set_dial("parcels", fault="status", code=503)
        overview = send_request("GET", f"{demo.url}/overview/42", headers=headers)
        refused = send_request("GET", f"{demo.url}/overview/43", headers=headers)
        document = send_request("GET", f"{demo.url}/openapi.json").text
    assert inbox.json()["degraded"] == []
    assert overview.json()["degraded"] == [{"part": "parcels", "reason": "unavailable"}]
    assert refused.status_code == 403
    for text in (demo.output, inbox.text, overview.text, refused.text, document):
        assert not SHOP.search(text), text
