"""Opens the signing keys in the database: decrypts them, follows their changes, rotates by age."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from logging import ERROR, getLogger
from pathlib import Path

from gateway.auth.clock import Clock
from gateway.background_tasks import run_in_background
from gateway.errors.tree import DatabaseUnavailable
from gateway.identity.age_rotation import is_rotation_due, list_after_rotation, rotate_by_age
from gateway.identity.key_encryption import KeyEncryption, UndecryptableKey
from gateway.identity.key_file_watcher import POLL_SECONDS, KeyFileWatcher
from gateway.identity.setting_errors import LoadedKeyFile, describe_undecryptable
from gateway.identity.signing_key_file import InvalidSigningKeys
from gateway.identity.signing_key_provider import SigningKeyProvider
from gateway.identity.signing_key_replica import SigningKeyReplica
from gateway.identity.stored_keys import decrypt_keys
from gateway.resources import Resources
from gateway.settings.errors import InvalidSettings
from gateway.settings.schema import Settings
from gateway.storage.database import Database
from gateway.storage.open_storage import Storage
from gateway.telemetry.log import log_event

ROTATION_CHECK_SECONDS = 1.0
ROTATION_RETRY_SECONDS = 60.0
"""How long a rotation that has failed is not tried again."""

_SOURCE = "database"

log = getLogger("lockgate.identity")


@asynccontextmanager
async def open_stored_keys(
    settings: Settings, path: Path, loaded: LoadedKeyFile, resources: Resources, clock: Clock
) -> AsyncIterator[SigningKeyProvider]:
    """Open `SigningKeyProvider` and the watcher of the key file, into `resources`.

    The first key is made if there is none. A database that is not there does not prevent the
    start: the provider has no keys until it is.

    Raises:
        InvalidSettings: the key file cannot decrypt the keys in the database.
    """
    storage: Storage = resources[Storage]
    keys = SigningKeyProvider(source=_SOURCE, clock=clock)
    days = settings.identity.rotate_days
    try:
        await _load_or_create(storage.database, keys, loaded.encryption, days, clock.now())
    except UndecryptableKey as error:
        raise InvalidSettings([describe_undecryptable(settings, error)]) from error
    replica = SigningKeyReplica(keys, loaded.encryption)
    watcher = KeyFileWatcher(path, replica.use_key_file, document=loaded.document, clock=clock)
    resources[SigningKeyProvider], resources[KeyFileWatcher] = keys, watcher
    storage.feed.add(replica, "signing keys")
    follow = partial(_follow_key_file, watcher, replica, clock)
    rotate = partial(_rotate_often, storage, replica, days, clock)
    async with (
        run_in_background("key file", follow),
        run_in_background("signing key rotation", rotate),
    ):
        yield keys


async def _load_or_create(
    database: Database, keys: SigningKeyProvider, encryption: KeyEncryption, days: int, now: float
) -> None:
    """Put the stored keys in force, after a rotation if one is due."""
    with suppress(DatabaseUnavailable):
        transaction = partial(list_after_rotation, encryption=encryption, days=days, now=now)
        if found := decrypt_keys(await database.write(transaction), encryption):
            keys.use_keys(found)


async def _follow_key_file(
    watcher: KeyFileWatcher, replica: SigningKeyReplica, clock: Clock
) -> None:
    while True:
        await clock.sleep(POLL_SECONDS)
        await watcher.check()
        replica.retry()


async def _rotate_often(
    storage: Storage, replica: SigningKeyReplica, days: int, clock: Clock
) -> None:
    """Rotate the keys when the newest is old enough; all processes try, and one of them does it."""
    while True:
        await clock.sleep(ROTATION_CHECK_SECONDS)
        stored, now = replica.stored, clock.now()
        if stored is None or not is_rotation_due(stored, days, now):
            continue
        try:
            rotate = partial(rotate_by_age, encryption=replica.encryption, days=days, now=now)
            await storage.database.write(rotate)
            await storage.feed.refresh()
        except DatabaseUnavailable:  # `Database` has logged it
            continue
        except (UndecryptableKey, InvalidSigningKeys) as error:
            log_event(log, "signing_keys.rotation_failed", ERROR, reason=str(error))
            await clock.sleep(ROTATION_RETRY_SECONDS)
