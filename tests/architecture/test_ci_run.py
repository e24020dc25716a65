"""`.ci/run`: when it is ended, so is everything that its steps have started."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.running_demo import ROOT

MAKE = f"""#!{sys.executable}
import subprocess, sys
if sys.argv[1] == "test":
    child = subprocess.Popen(["sleep", "300"])
    with open("pids", "a") as file:
        print(child.pid, file=file)
    child.wait()
"""


def is_running(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(") ")[2][0] != "Z"


def read_pids(file: Path, number: int) -> list[int]:
    """Wait until the file has so many process ids."""
    deadline = time.monotonic() + 20
    while not file.exists() or file.read_text().count("\n") < number:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return [int(pid) for pid in file.read_text().split()]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_both_suites_and_their_children_end(tmp_path: Path, number: signal.Signals) -> None:
    """The suites are children of `make`; their children are a demo or a database."""
    tools = tmp_path / "tools"
    (tmp_path / ".ci").mkdir()
    tools.mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci")
    (tmp_path / "Dockerfile").write_text("FROM python:3.99-slim AS gateway\n")
    for name, text in {
        "make": MAKE,
        "python3.99": "#!/bin/sh\n",
        "nginx": "",
        "haproxy": "",
    }.items():
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"}
    with subprocess.Popen(["bash", ".ci/run"], cwd=tmp_path, env=environment) as running:
        pids = read_pids(tmp_path / "pids", 2)
        running.send_signal(number)
        assert running.wait(20) == 128 + number
    assert not any(map(is_running, pids))
