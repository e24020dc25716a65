"""Finds the errors in the settings about signing keys that a schema cannot find."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from gateway.bounded_file import MissingFile
from gateway.identity.key_document import read_key_document
from gateway.identity.key_encryption import KeyEncryption, UndecryptableKey, parse_key_file
from gateway.identity.key_timetable import SigningKeys
from gateway.identity.signing_key_file import parse_signing_keys
from gateway.identity.stored_keys import read_stored_keys
from gateway.settings.errors import ConfigError, InvalidSettings, get_variable
from gateway.settings.issuer_names import list_issuer_names
from gateway.settings.schema import Identity, Settings
from gateway.storage.open_storage import read_existing


class LoadedKeys(NamedTuple):
    """The content of the file of signing keys, and its keys."""

    document: bytes
    keys: SigningKeys


class LoadedKeyFile(NamedTuple):
    """The content of the file of encryption keys, and its keys."""

    document: bytes
    encryption: KeyEncryption


def find_identity_errors(settings: Settings) -> list[ConfigError]:
    """Find the errors that `open_signing_keys` raises. Blocks while it reads files and database."""
    errors = list(_find_issuer_conflicts(settings))
    try:
        load_signing_keys(settings.identity)
        loaded = load_key_file(settings)
    except InvalidSettings as invalid:
        return errors + invalid.errors
    return errors + _find_stored_key_errors(settings, loaded) if loaded else errors


def require_own_issuer(settings: Settings) -> None:
    """Require that the issuer of the gateway is not that of a provider.

    Raises:
        InvalidSettings: it is.
    """
    if errors := list(_find_issuer_conflicts(settings)):
        raise InvalidSettings(errors)


def load_signing_keys(identity: Identity) -> LoadedKeys | None:
    """Read `identity.signing_key_file` once; None if it is not set. Blocks.

    Raises:
        InvalidSettings: the file has no usable keys.
    """
    path = identity.signing_key_file
    if path is None:
        return None
    try:
        document = read_key_document(path)
        return LoadedKeys(document, parse_signing_keys(document))
    except ValueError as error:
        hint = f"run `lockgate signing-keys rotate --file {path}`"
        raise _refuse_file("identity.signing_key_file", path, error, hint) from error


def load_key_file(settings: Settings) -> LoadedKeyFile | None:
    """Read `identity.key_file` once; None if it is not set. Blocks.

    Raises:
        InvalidSettings: the file has no usable keys, or there is no database.
    """
    path = settings.identity.key_file
    if path is None:
        return None
    if settings.database_url is None:
        message = "needs database_url: it encrypts the signing keys in the database"
        hint = f"set {get_variable('database_url')}, or identity.signing_key_file in place of it"
        raise InvalidSettings([ConfigError("identity.key_file", message, hint)])
    try:
        document = read_key_document(path)
        return LoadedKeyFile(document, parse_key_file(document))
    except ValueError as error:
        hint = f"run `lockgate key-file create --file {path}`"
        raise _refuse_file("identity.key_file", path, error, hint) from error


def describe_undecryptable(settings: Settings, error: UndecryptableKey) -> ConfigError:
    """Return the error for a key file that has not encrypted the keys in the database."""
    message = f"{settings.identity.key_file}: cannot decrypt the database: {error}"
    hint = "restore the key file; or run `lockgate signing-keys rotate --drop-former`"
    return ConfigError("identity.key_file", message, hint)


def _refuse_file(setting: str, path: Path, error: ValueError, hint: str) -> InvalidSettings:
    hint = hint if isinstance(error, MissingFile) else ""
    return InvalidSettings([ConfigError(setting, f"{path}: {error}", hint)])


def _find_stored_key_errors(settings: Settings, loaded: LoadedKeyFile) -> list[ConfigError]:
    """Decrypt what is in the database, if it responds and has the schema."""
    try:
        read_existing(settings, partial(read_stored_keys, encryption=loaded.encryption))
    except UndecryptableKey as error:
        return [describe_undecryptable(settings, error)]
    except InvalidSettings as invalid:
        return invalid.errors
    return []


def _find_issuer_conflicts(settings: Settings) -> Iterator[ConfigError]:
    """A provider with the name of the gateway could issue tokens that pass for its own."""
    for index, issuer in enumerate(settings.issuers):
        if settings.identity.issuer in list_issuer_names(issuer):
            yield ConfigError(
                f"issuers.{index}.issuer",
                "is identity.issuer, too: its tokens would pass for those of the gateway",
                "use the URL of the gateway as identity.issuer, and of the provider here",
            )
