"""`lockgate limits record`: the recorded requests in a file."""

import json
from pathlib import Path

import pytest

from gateway.ops.interfaces import Traffic
from tests.gateway.cli.limits.conftest import Ops


def test_the_recording_is_saved(ops: Ops, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def export() -> bytes:
        return b"\x1f\x8b recorded"

    monkeypatch.setattr(ops.server.resources[Traffic], "export", export)
    file = tmp_path / "traffic.lockgate"
    file.write_text("an older one")
    assert ops.print("record", str(file)).startswith(f"{file} has 11 bytes")
    assert file.read_bytes() == b"\x1f\x8b recorded"
    saved = json.loads(ops.print("record", str(file), "--json"))
    assert saved == {"file": str(file), "bytes": 11}
    assert list(tmp_path.iterdir()) == [file]


def test_a_failure_leaves_the_file_as_it_was(ops: Ops, tmp_path: Path) -> None:
    file = tmp_path / "traffic.lockgate"
    file.write_text("an older one")
    assert ops.run("record", str(file), "--token", "a.b.c")[0] == 1
    assert file.read_text() == "an older one"
    status, _, errors = ops.run("record", str(tmp_path / "none" / "file"))
    assert status == 1
    assert "cannot be written: No such file or directory" in errors
