"""Gateways whose signing keys are in a database, and what a test changes beside them."""

from functools import partial
from pathlib import Path

from sqlalchemy import Connection, select

from gateway.auth.jwt import base64url
from gateway.identity.encryption_rotation import rotate_encryption_key
from gateway.identity.key_encryption import read_key_file
from gateway.identity.key_timetable import SigningKeys
from gateway.identity.signing_key import build_private_members
from gateway.identity.stored_keys import read_stored_keys, rotate_stored_keys
from gateway.settings.loader import load_settings
from gateway.settings.schema import Identity, Settings, StorageSettings
from gateway.storage.database import Database
from gateway.storage.journal import Author
from gateway.storage.tables import metadata
from tests.gateway.identity.verifiers import GATEWAY

AUTHOR = Author("jane", "a test")


def configure(url: str, key_file: Path) -> Settings:
    """Return the settings of the sample application with signing keys in this database."""
    changes = {
        "database_url": url,
        "storage": StorageSettings(poll_seconds=0.05),
        "identity": Identity(issuer=GATEWAY, key_file=key_file),
    }
    return load_settings().model_copy(update=changes)


def rotate(database: Database, key_file: Path, now: float) -> SigningKeys:
    """Rotate the signing keys, as the command line does."""
    encryption = read_key_file(key_file)

    def transaction(connection: Connection) -> SigningKeys:
        return rotate_stored_keys(connection, encryption, "ES256", AUTHOR, now)

    return database.write_now(transaction)


def reencrypt(database: Database, key_file: Path) -> str:
    """Rotate the key of the file, as the command line does, and return the new one's id."""
    rotation = partial(rotate_encryption_key, path=key_file, author=AUTHOR)
    return database.write_now(rotation).key_id


def read(database: Database, key_file: Path) -> SigningKeys | None:
    """Decrypt the stored keys with the file as it is."""
    return database.read_now(partial(read_stored_keys, encryption=read_key_file(key_file)))


def list_secrets(keys: SigningKeys, key_file: Path) -> list[bytes]:
    """List the secrets of the keys and of the file, as bytes and as they are written."""
    private = [build_private_members(period.key.private)["d"] for period in keys.periods]
    texts = [*private, *(base64url.encode(key.secret) for key in read_key_file(key_file).keys)]
    return [form for text in texts for form in (text.encode(), base64url.decode(text))]


def dump(database: Database) -> bytes:
    """Return all that the database holds: the bytes of its file, and each value of each table."""
    file = database.engine.url.database
    content = Path(file).read_bytes() if database.engine.dialect.name == "sqlite" and file else b""

    def read_tables(connection: Connection) -> bytes:
        rows = [
            row for table in metadata.sorted_tables for row in connection.execute(select(table))
        ]
        values = [value for row in rows for value in row]
        return b"".join(
            bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()
            for value in values
        )

    return content + database.read_now(read_tables)
