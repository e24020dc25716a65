"""`lockgate limits plan`: a change in code or settings is replayed before it is deployed."""

import asyncio
import json
from pathlib import Path

import pytest

from gateway.cli.main import main
from gateway.ratelimit.limits import Demand, Limits
from gateway.ratelimit.memory_limiter import MemoryLimiter
from gateway.ratelimit.policy_in_force import PoliciesInForce, PolicyInForce
from gateway.ratelimit.recording.export_file import export_recordings
from gateway.ratelimit.recording.recorder import Recorder
from gateway.ratelimit.rule import MICROSECONDS
from tests.gateway.ratelimit.charges import ManualClock
from tests.sample.limits import DASHBOARDS

REQUESTS, QUOTA = 100, 60  # within a minute; the policy of the sample admits 120


async def record() -> bytes:
    """Record requests of one user, of which the policy in force admits all."""
    clock = ManualClock()

    def read_seconds() -> float:
        return clock.now / MICROSECONDS

    recorder = Recorder("p", is_shared=False, clock=read_seconds, wall=read_seconds)
    policies = PoliciesInForce([PolicyInForce(DASHBOARDS)])
    limits = Limits(MemoryLimiter(clock=clock), policies, recorder, read_seconds)
    for _ in range(REQUESTS):
        clock.advance(0.1)
        assert (await limits.enforce([Demand(DASHBOARDS, "user:42", None, 1)])).admitted
    clock.advance(60)
    return b"".join(export_recordings([recorder.snapshot()]))


@pytest.fixture
def recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOCKGATE_APP__PACKAGE", "tests.sample")
    file = tmp_path / "traffic.lockgate"
    file.write_bytes(asyncio.run(record()))
    return file


def run_plan(file: Path, most: int, *options: str) -> int:
    arguments = ["--recording", str(file), "--max-newly-refused", str(most), *options]
    return main(["limits", "plan", *arguments])


def test_the_policies_that_were_in_force_refuse_nothing(
    recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_plan(recording, 0) == 0
    output = capsys.readouterr().out
    assert output.startswith(f"{REQUESTS} requests of 1 callers, from ")
    assert output.endswith("accepted: 0 newly refused; at most 0 are allowed\n")


def test_a_lower_limit_exceeds_the_plan(
    recording: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    refused = REQUESTS - QUOTA
    monkeypatch.setenv("LOCKGATE_LIMITS__DASHBOARDS", f"{QUOTA}/minute")
    assert run_plan(recording, refused - 1) == 4
    output = capsys.readouterr().out
    row = output.splitlines()[2].split()
    assert row[:4] == ["dashboards", str(REQUESTS), str(refused), "0"]
    assert output.endswith(f"REFUSED: {refused} newly refused; at most {refused - 1} are allowed\n")
    assert run_plan(recording, refused, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["accepted"], document["newly_refused"]) == (True, refused)
    assert document["covers"]["requests"] == REQUESTS


def test_a_file_that_is_no_recording_fails(
    recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_plan(recording.with_name("none"), 0) == 1
    assert "none: " in capsys.readouterr().err
    recording.write_bytes(recording.read_bytes()[:-9])
    assert run_plan(recording, 0) == 1
    assert "the file is cut off" in capsys.readouterr().err
