"""`lockgate limits record`: the recorded requests in a file, which `plan` reads."""

import json
from pathlib import Path

from tests.gateway.cli.limits.conftest import Ops


def test_the_recording_is_what_plan_reads(ops: Ops, tmp_path: Path) -> None:
    ops.send_requests("42", 100)
    file = tmp_path / "folder" / "traffic.lockgate"
    file.parent.mkdir()
    file.write_text("an older one")
    saved = json.loads(ops.print("record", str(file), "--json"))
    assert saved == {"file": str(file), "bytes": file.stat().st_size}
    assert list(file.parent.iterdir()) == [file]

    ops.monkeypatch.setenv("LOCKGATE_APP__PACKAGE", "tests.sample")
    ops.monkeypatch.setenv("LOCKGATE_LIMITS__DASHBOARDS", "60/minute")
    plan = ("plan", "--recording", str(file), "--json", "--max-newly-refused")
    status, output, _ = ops.run(*plan, "39")
    assert (status, json.loads(output)["newly_refused"]) == (4, 40)
    assert ops.run(*plan, "40")[0] == 0


def test_a_failure_leaves_the_file_as_it_was(ops: Ops, tmp_path: Path) -> None:
    file = tmp_path / "traffic.lockgate"
    file.write_text("an older one")
    assert ops.run("record", str(file), "--token", "a.b.c")[0] == 1
    assert file.read_text() == "an older one"
    status, _, errors = ops.run("record", str(tmp_path / "none" / "file"))
    assert status == 1
    assert "cannot be written: No such file or directory" in errors
