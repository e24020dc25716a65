"""The database of the demo: a temporary file, with an OAuth client."""

import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from gateway.cli.database import open_database
from gateway.identity.encryption_rotation import create_key_file
from gateway.oauth.client import ClientSecret, OAuthClient
from gateway.oauth.client_secret import generate_secret, hash_secret
from gateway.oauth.client_table import add_client
from gateway.settings.schema import Identity, Settings
from gateway.storage.journal import Author
from gateway.storage.open_storage import UPGRADE_SECONDS
from gateway.storage.upgrade import upgrade_schema

INTERNAL_ISSUER = "https://gateway.demo.invalid"

_AUTHOR = Author("lockgate demo")


def use_database_in(folder: Path, settings: Settings) -> Settings:
    """Let the gateway use a database in this folder, whose key file is there, too. Blocks.

    The demo adds a client, so it never uses the database of the settings. The gateway makes its
    signing keys in the database, unless the settings have others.
    """
    values: dict[str, object] = {"database_url": f"sqlite:///{folder / 'lockgate.db'}"}
    if not settings.identity.has_signing_keys:
        key_file = folder / "keys.jwks"
        create_key_file(key_file)
        values["identity"] = Identity(issuer=INTERNAL_ISSUER, key_file=key_file)
    return settings.model_copy(update=values)


def add_demo_client(settings: Settings, scopes: Iterable[str]) -> str:
    """Create the database with the client of the settings, and return its secret. Blocks."""
    secret, now = generate_secret(), time.time()
    client = OAuthClient(
        id=settings.demo.client,
        scopes=tuple(scopes),
        secrets=(ClientSecret(hash_secret(secret), now),),
        public_keys=(),
        created_at=now,
    )
    with open_database(
        settings, timeout=UPGRADE_SECONDS, of_any_schema=True, creates_file=True
    ) as database:
        database.write_now(upgrade_schema)
        database.write_now(partial(add_client, client=client, author=_AUTHOR))
    return secret
