"""The key file: created once, rotated with what it has encrypted, whatever fails in between."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, update

from gateway.errors.tree import DatabaseUnavailable
from gateway.identity import encryption_rotation as module
from gateway.identity.encryption_rotation import create_key_file, rotate_encryption_key
from gateway.identity.key_encryption import (
    MAX_KEYS,
    InvalidKeyFile,
    UndecryptableKey,
    generate_encryption_key,
    read_key_file,
    serialize_keys,
)
from gateway.storage.database import Database
from gateway.storage.journal import read_entries
from gateway.storage.tables import signing_keys
from tests.gateway.identity import stored
from tests.gateway.identity.callers import NOW


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "keys.jwks"
    create_key_file(path)
    return path


def list_ids(path: Path) -> list[str]:
    return [key.key_id for key in read_key_file(path).keys]


def rotate(database: Database, path: Path) -> module.RotatedKeyFile:
    def transaction(connection: Connection) -> module.RotatedKeyFile:
        return rotate_encryption_key(connection, path, stored.AUTHOR)

    return database.write_now(transaction)


def test_a_file_is_created_for_its_owner_alone_and_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "keys.jwks"
    key_id = create_key_file(path)
    assert path.stat().st_mode & 0o777 == 0o600
    content = path.read_bytes()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "missing")
    for existing in (path, link):
        with pytest.raises(FileExistsError):
            create_key_file(existing)
    assert path.read_bytes() == content
    assert list_ids(path) == [key_id]


def test_a_rotation_encrypts_everything_again(database: Database, key_file: Path) -> None:
    keys = stored.rotate(database, key_file, NOW)
    keys = stored.rotate(database, key_file, NOW)
    [first] = list_ids(key_file)
    key_file.chmod(0o640)
    rotated = rotate(database, key_file)
    assert (rotated.signing_keys, rotated.kept, rotated.removed) == (keys.ids, [first], [])
    assert list_ids(key_file) == [rotated.key_id, first]
    assert key_file.stat().st_mode & 0o777 == 0o640
    # The former key is needless now: without it, the database can be read.
    key_file.write_bytes(serialize_keys(read_key_file(key_file).keys[:1]))
    read = stored.read(database, key_file)
    assert read is not None
    assert read.ids == keys.ids
    entries = database.read_now(lambda connection: read_entries(connection, after=2, limit=9))
    assert [(entry.change.action, entry.change.subject) for entry in entries] == [
        ("signing_key.encrypt", key_id) for key_id in keys.ids
    ]
    assert entries[0].change.details == {"encryption_key": rotated.key_id, "former": first}
    assert entries[0].change.reason == "a test"


def test_the_next_rotation_removes_what_encrypts_nothing(
    database: Database, key_file: Path
) -> None:
    stored.rotate(database, key_file, NOW)
    [first] = list_ids(key_file)
    second, third = rotate(database, key_file), rotate(database, key_file)
    assert third.removed == [first]
    assert list_ids(key_file) == [third.key_id, second.key_id]


def test_after_a_crash_before_the_commit_the_file_decrypts_everything(
    database: Database, key_file: Path
) -> None:
    ids = stored.rotate(database, key_file, NOW).ids

    def crash(connection: Connection) -> None:
        rotate_encryption_key(connection, key_file, stored.AUTHOR)
        raise DatabaseUnavailable(1, "the connection is lost")

    for _ in range(3):
        with pytest.raises(DatabaseUnavailable):
            database.write_now(crash)
        read = stored.read(database, key_file)
        assert read is not None
        assert read.ids == ids
    assert len(list_ids(key_file)) == 3  # the new, the one before, and the one that is in use
    rotate(database, key_file)
    assert stored.read(database, key_file) is not None


def test_a_file_that_cannot_be_written_leaves_the_database_as_it_is(
    database: Database, key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored.rotate(database, key_file, NOW)

    def refuse(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    before = list_ids(key_file)
    with monkeypatch.context() as patched:
        patched.setattr(module, "replace_document", refuse)
        with pytest.raises(InvalidKeyFile, match="cannot be written: Permission denied"):
            rotate(database, key_file)
    assert list_ids(key_file) == before
    assert stored.read(database, key_file) is not None


def forget_the_key(path: Path, database: Database) -> None:
    path.write_bytes(serialize_keys([generate_encryption_key()]))


def change_the_database(path: Path, database: Database) -> None:
    database.write_now(lambda it: it.execute(update(signing_keys).values(private=b"x")))


@pytest.mark.parametrize(
    ("change", "message"),
    [(forget_the_key, "which the key file lacks"), (change_the_database, "has not encrypted it")],
)
def test_what_cannot_be_decrypted_leaves_the_file_as_it_is(
    database: Database,
    key_file: Path,
    change: Callable[[Path, Database], None],
    message: str,
) -> None:
    stored.rotate(database, key_file, NOW)
    change(key_file, database)
    content = key_file.read_bytes()
    with pytest.raises(UndecryptableKey, match=message):
        rotate(database, key_file)
    assert key_file.read_bytes() == content


def test_too_many_keys_are_refused(database: Database, key_file: Path) -> None:
    keys = [generate_encryption_key() for _ in range(MAX_KEYS)]
    for first in range(MAX_KEYS):
        key_file.write_bytes(serialize_keys([*keys[first:], *keys[:first]]))
        stored.rotate(database, key_file, NOW)
    with pytest.raises(InvalidKeyFile, match="has 16 keys in use, and at most 16 are allowed"):
        rotate(database, key_file)


def test_what_a_killed_process_has_left_is_removed(database: Database, key_file: Path) -> None:
    left = key_file.with_name(f".{key_file.name}.a1b2c3d4.new")
    others = [key_file.with_name(name) for name in (".other.jwks.x.new", ".keys.jwks.swp")]
    for path in (left, *others):
        path.touch()
    rotate(database, key_file)
    assert sorted(key_file.parent.glob(".*")) == sorted(others)
