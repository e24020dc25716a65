"""The process that listens on a port."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.server import port_owner
from gateway.server.port_owner import find_port_owner

LISTEN = """
import socket
with socket.create_server(("127.0.0.1", 0)) as listener:
    print(listener.getsockname()[1], flush=True)
    input()
"""


def test_the_process_is_named() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", LISTEN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        owner = find_port_owner(port)
        process.communicate("\n", timeout=10)
    assert owner is not None
    assert owner.startswith("python")
    assert owner.endswith(f"(process {process.pid})")


def test_a_port_on_which_nothing_listens_has_no_owner() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        assert find_port_owner(bound.getsockname()[1]) is None


def test_a_system_without_proc_knows_no_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(port_owner, "_PROC", tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert find_port_owner(listener.getsockname()[1]) is None
