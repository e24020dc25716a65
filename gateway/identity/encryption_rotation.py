"""Creates `identity.key_file`, and rotates its keys with what they have encrypted."""

from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection

from gateway.identity.key_document import lock_folder, replace_document
from gateway.identity.key_encryption import (
    MAX_KEYS,
    InvalidKeyFile,
    KeyEncryption,
    generate_encryption_key,
    read_key_file,
    serialize_keys,
)
from gateway.identity.stored_keys import list_stored_keys, reencrypt_stored_keys
from gateway.storage.journal import Author
from gateway.storage.locks import lock_journal


class RotatedKeyFile(NamedTuple):
    """The result of a rotation, as ids.

    `signing_keys` are those that were encrypted again. `kept` are the keys that only decrypt from
    now on, and `removed` those that the file has no longer.
    """

    key_id: str
    signing_keys: list[str]
    kept: list[str]
    removed: list[str]


def create_key_file(path: Path) -> str:
    """Create the file with one key, for its owner alone, and return the id. Blocks.

    Raises:
        FileExistsError: there is one; what its keys have encrypted would be lost.
        OSError: it cannot be written.
    """
    key = generate_encryption_key()
    with lock_folder(path.parent) as folder:
        if path.exists() or path.is_symlink():
            raise FileExistsError
        replace_document(path, serialize_keys([key]), folder)
    return key.key_id


def rotate_encryption_key(connection: Connection, path: Path, author: Author) -> RotatedKeyFile:
    """Add a key, which encrypts from now on, and encrypt the signing keys with it again. Blocks.

    The file is replaced before the transaction ends, so a crash between the two leaves a file that
    decrypts all: the former keys stay in it. The next rotation removes those that by then encrypt
    nothing, except the last one: a process that reads the file late may still encrypt with it.

    Raises:
        UnreadableFile, InvalidKeyFile: the file cannot be written, or its keys cannot be kept.
        UndecryptableKey: they have not encrypted one of the signing keys.
    """
    try:
        return _rotate(connection, path.resolve(), author)  # the target of a symbolic link
    except OSError as error:  # `Database` would take it for an error of its own file
        raise InvalidKeyFile(f"cannot be written: {error.strerror}") from error


def _rotate(connection: Connection, path: Path, author: Author) -> RotatedKeyFile:
    # The lock first, so that no key is encrypted with a former key that the file no longer has.
    lock_journal(connection)
    with lock_folder(path.parent) as folder:
        former = read_key_file(path, of_any_owner=True)
        used = {key.encryption_key_id for key in list_stored_keys(connection)}
        kept = [key for key in former.keys if key.key_id in {former.key_id, *used}]
        if len(kept) >= MAX_KEYS:
            raise InvalidKeyFile(f"has {len(kept)} keys in use, and at most {MAX_KEYS} are allowed")
        added = generate_encryption_key()
        encryption = KeyEncryption([added, *kept])
        # Before the file is replaced: a key that cannot be decrypted leaves the file as it is.
        signing_keys = reencrypt_stored_keys(connection, encryption, author)
        replace_document(path, serialize_keys(encryption.keys), folder)
    ids = [key.key_id for key in kept]
    removed = [key.key_id for key in former.keys if key.key_id not in ids]
    return RotatedKeyFile(added.key_id, signing_keys, ids, removed)
