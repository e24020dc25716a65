"""A changed key file: new keys are used, a bad file leaves the old ones in force."""

import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.identity.key_file_rotation import rotate_key_file
from gateway.identity.key_file_watcher import KeyFileWatcher
from gateway.identity.key_timetable import SigningKeys
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


@pytest.fixture
def watcher(path: Path, used: list[SigningKeys]) -> KeyFileWatcher:
    document = path.read_bytes()
    return KeyFileWatcher(path, used.append, document=document, clock=ManualClock(NOW))


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
