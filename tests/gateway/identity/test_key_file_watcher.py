"""A changed key file: new keys are used, a bad file leaves the old ones in force."""

import json
import logging
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.identity import key_file_watcher as module
from gateway.identity.key_file_rotation import rotate_key_file
from gateway.identity.key_file_watcher import KeyFileWatcher
from gateway.identity.key_timetable import RETIREMENT, SIGNING_DELAY, SigningKeys
from gateway.identity.signing_key_file import parse_signing_keys, read_signing_keys
from gateway.identity.signing_key_provider import SigningKeyProvider
from tests.gateway.auth.manual_clock import ManualClock

NOW = 1_800_000_000.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "signing.jwks"
    rotate_key_file(path, "ES256", NOW)
    return path


@pytest.fixture
def used() -> list[SigningKeys]:
    """The keys that the watcher has put in force."""
    return []


def create_watcher(path: Path, used: list[SigningKeys], clock: ManualClock) -> KeyFileWatcher:
    document = path.read_bytes()
    keys = SigningKeyProvider(parse_signing_keys(document), source=str(path), clock=clock)
    keys.call_on_change(lambda: used.append(keys.get_keys()))
    return KeyFileWatcher(
        path,
        lambda content: keys.use_keys(parse_signing_keys(content)),
        document=document,
        clock=clock,
    )


@pytest.fixture
def watcher(path: Path, used: list[SigningKeys]) -> KeyFileWatcher:
    return create_watcher(path, used, ManualClock(NOW))


def read(path: Path) -> bytes:
    return path.read_bytes()


def restore(path: Path, document: bytes) -> None:
    path.write_bytes(document)
    path.chmod(0o600)


def write_garbage(path: Path) -> None:
    path.write_text("garbage")


def write_a_part(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def open_to_others(path: Path) -> None:
    path.chmod(0o644)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (Path.unlink, "there is no such file"),
        (write_garbage, "is not JSON"),
        (write_a_part, "is not JSON"),
        (open_to_others, "has the mode 0644"),
    ],
)
async def test_a_bad_file_leaves_the_keys_in_force_until_it_is_good_again(  # noqa: PLR0917
    path: Path,
    watcher: KeyFileWatcher,
    used: list[SigningKeys],
    caplog: pytest.LogCaptureFixture,
    change: Callable[[Path], None],
    reason: str,
) -> None:
    good = read(path)
    change(path)
    with caplog.at_level(logging.INFO, "lockgate.identity"):
        await watcher.check()
        await watcher.check()
        assert reason in watcher.error
        restore(path, good)
        await watcher.check()
    assert not watcher.error
    assert not used
    events = [(record.getMessage(), record.levelname) for record in caplog.records]
    assert [name.partition(" ")[0] for name, _ in events] == [
        "signing_keys.reload_failed",
        "signing_keys.reload_recovered",
    ]
    assert events[0][1] == "ERROR"
    (key,) = json.loads(good)["keys"]
    assert key["d"] not in caplog.text


async def test_the_keys_of_a_new_file_are_used_once(
    path: Path, watcher: KeyFileWatcher, used: list[SigningKeys]
) -> None:
    await watcher.check()
    assert not used
    keys = rotate_key_file(path, "EdDSA", NOW)
    await watcher.check()
    await watcher.check()
    assert [each.ids for each in used] == [keys.ids]
    assert "error=''" in repr(watcher)


async def test_a_key_that_is_needed_and_gone_is_a_warning(
    path: Path, watcher: KeyFileWatcher, caplog: pytest.LogCaptureFixture
) -> None:
    (key_id,) = read_signing_keys(path).ids
    Path.unlink(path)
    rotate_key_file(path, "ES256", NOW)
    with caplog.at_level(logging.INFO, "lockgate.identity"):
        await watcher.check()
    warning, changed = caplog.records
    assert warning.getMessage().startswith("signing_keys.dropped")
    assert (warning.levelname, changed.levelname) == ("WARNING", "INFO")
    assert vars(warning)["fields"]["key_id"] == key_id


async def test_a_key_that_has_retired_may_be_gone(
    path: Path, used: list[SigningKeys], caplog: pytest.LogCaptureFixture
) -> None:
    rotate_key_file(path, "ES256", NOW)
    clock = ManualClock(NOW + SIGNING_DELAY + RETIREMENT + 1)
    watcher = create_watcher(path, used, clock)
    rotate_key_file(path, "ES256", clock.now())
    with caplog.at_level(logging.INFO, "lockgate.identity"):
        await watcher.check()
    assert [record.levelname for record in caplog.records] == ["INFO"]
    assert len(used[0].ids) == 2


async def test_a_read_that_takes_long_is_reported_and_made_once(
    path: Path,
    watcher: KeyFileWatcher,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    reads: list[Path] = []
    end = threading.Event()

    def read_slowly(path: Path) -> bytes:
        reads.append(path)
        end.wait(10)
        return path.read_bytes()

    monkeypatch.setattr(module, "read_key_document", read_slowly)
    monkeypatch.setattr(module, "MAX_READ_SECONDS", 0.01)
    with caplog.at_level(logging.INFO, "lockgate.identity"):
        for _ in range(3):
            await watcher.check()
        assert watcher.error == "a read of it takes more than 0.01 s"
        assert reads == [path]
        end.set()
        monkeypatch.setattr(module, "MAX_READ_SECONDS", 10)
        await watcher.check()
    assert not watcher.error
    assert [record.levelname for record in caplog.records] == ["ERROR", "INFO"]


STUCK = """
import asyncio, pathlib, threading, time
from gateway.auth.clock import Clock
from gateway.identity import key_file_watcher
from gateway.identity.key_file_watcher import KeyFileWatcher

path = pathlib.Path({path!r})
watcher = KeyFileWatcher(path, print, document=path.read_bytes(), clock=Clock())
key_file_watcher.read_key_document = lambda path: threading.Event().wait()

async def main():
    task = asyncio.create_task(watcher.check())
    await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.wait([task])

asyncio.run(main())
"""


def test_a_read_that_never_ends_does_not_hold_the_stop_up(path: Path) -> None:
    command = [sys.executable, "-c", STUCK.format(path=str(path))]
    ended = subprocess.run(command, timeout=30, check=False, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")
