"""Rotation: a new key is added, ended ones are removed, and the file is replaced as a whole."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway.bounded_file import UnreadableFile
from gateway.identity.key_file_rotation import rotate_key_file
from gateway.identity.key_timetable import RETIREMENT, SIGNING_DELAY
from gateway.identity.signing_key_file import MAX_KEYS, InvalidSigningKeys, read_signing_keys
from gateway.identity.temporary_key_file import create_temporary_key_file

NOW = 1_800_000_000.5


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "signing.jwks"


def test_without_a_file_one_is_created_for_its_owner_alone(path: Path) -> None:
    keys = rotate_key_file(path, "ES256", NOW)
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_signing_keys(path).ids == keys.ids
    (period,) = keys.periods
    assert (period.key.created_at, period.key.algorithm) == (int(NOW), "ES256")


def test_the_former_keys_are_kept_until_their_last_token_has_expired(path: Path) -> None:
    (first,) = rotate_key_file(path, "ES256", NOW).ids
    second = rotate_key_file(path, "EdDSA", NOW + 100).ids[-1]
    ended = NOW + 100 + SIGNING_DELAY + RETIREMENT
    third = rotate_key_file(path, "ES256", ended - 10)
    assert third.ids[:2] == [first, second]
    fourth = rotate_key_file(path, "ES256", ended)
    assert fourth.ids[:2] == [second, third.ids[-1]]


def test_keys_of_one_second_stay_in_the_order_of_their_creation(path: Path) -> None:
    ids = [rotate_key_file(path, "EdDSA", NOW).ids[-1] for _ in range(5)]
    assert read_signing_keys(path).ids == ids


def test_rotations_at_once_keep_the_keys_of_each_other(path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        rotated = list(pool.map(lambda _: rotate_key_file(path, "EdDSA", NOW), range(8)))
    assert len(read_signing_keys(path).ids) == 8
    assert sorted(len(keys.ids) for keys in rotated) == list(range(1, 9))


def test_a_file_with_too_many_keys_is_left_as_it_is(path: Path) -> None:
    for _ in range(MAX_KEYS):
        rotate_key_file(path, "EdDSA", NOW)
    before = path.read_bytes()
    with pytest.raises(InvalidSigningKeys, match="has 16 keys in use, and at most 16 are allowed"):
        rotate_key_file(path, "EdDSA", NOW)
    assert path.read_bytes() == before


def test_a_file_that_cannot_be_used_is_left_as_it_is(path: Path) -> None:
    path.write_text("garbage")
    with pytest.raises(UnreadableFile, match="mode"):
        rotate_key_file(path, "ES256", NOW)
    path.chmod(0o600)
    with pytest.raises(InvalidSigningKeys, match="is not JSON"):
        rotate_key_file(path, "ES256", NOW)
    assert path.read_text() == "garbage"


def test_an_interrupted_write_leaves_the_old_file_and_no_other(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = rotate_key_file(path, "ES256", NOW).ids

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        rotate_key_file(path, "ES256", NOW)
    assert read_signing_keys(path).ids == before
    assert list(path.parent.iterdir()) == [path]


def test_the_target_of_a_symbolic_link_is_replaced_not_the_link(path: Path) -> None:
    rotate_key_file(path, "ES256", NOW)
    link = path.with_name("link")
    link.symlink_to(path)
    assert rotate_key_file(link, "ES256", NOW).ids == read_signing_keys(path).ids
    assert link.is_symlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
def test_root_keeps_the_owner_and_the_mode_of_the_file(path: Path) -> None:
    rotate_key_file(path, "ES256", NOW)
    path.chmod(0o400)
    os.chown(path, 12_345, 12_346)
    rotate_key_file(path, "ES256", NOW)
    status = path.stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (12_345, 12_346, 0o400)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
def test_the_group_may_read_a_file_of_root_and_no_other(path: Path) -> None:
    rotate_key_file(path, "ES256", NOW)
    path.chmod(0o640)
    assert read_signing_keys(path)
    os.chown(path, 12_345, 12_346)
    with pytest.raises(UnreadableFile, match="mode 0640"):
        read_signing_keys(path)


def test_a_temporary_key_file_can_be_used_and_is_deleted() -> None:
    with create_temporary_key_file() as file:
        assert len(read_signing_keys(file).ids) == 1
    assert not file.parent.exists()
