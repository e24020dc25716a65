"""Finds the errors in the settings about internal tokens that a schema cannot find."""

from collections.abc import Iterator
from typing import NamedTuple

from gateway.bounded_file import MissingFile
from gateway.identity.key_timetable import SigningKeys
from gateway.identity.signing_key_file import parse_signing_keys, read_key_document
from gateway.settings.errors import ConfigError, InvalidSettings
from gateway.settings.issuer_names import list_issuer_names
from gateway.settings.schema import Settings


class LoadedKeys(NamedTuple):
    """The content of the key file, and its keys."""

    document: bytes
    keys: SigningKeys


def find_identity_errors(settings: Settings) -> list[ConfigError]:
    """Find the errors that `load_signing_keys` raises. Blocks."""
    try:
        load_signing_keys(settings)
    except InvalidSettings as invalid:
        return invalid.errors
    return []


def load_signing_keys(settings: Settings) -> LoadedKeys | None:
    """Read the key file once; None without one. Blocks.

    Raises:
        InvalidSettings: the file has no usable keys, or the issuer is also that of a provider.
    """
    errors, loaded = list(_find_issuer_conflicts(settings)), None
    path = settings.identity.signing_key_file
    if path is not None:
        try:
            document = read_key_document(path)
            loaded = LoadedKeys(document, parse_signing_keys(document))
        except ValueError as error:
            command = f"run `lockgate signing-keys rotate --file {path}`"
            hint = command if isinstance(error, MissingFile) else ""
            errors.append(ConfigError("identity.signing_key_file", f"{path}: {error}", hint))
    if errors:
        raise InvalidSettings(errors)
    return loaded


def _find_issuer_conflicts(settings: Settings) -> Iterator[ConfigError]:
    """A provider with the name of the gateway could issue tokens that pass for its own."""
    for index, issuer in enumerate(settings.issuers):
        if settings.identity.issuer in list_issuer_names(issuer):
            yield ConfigError(
                f"issuers.{index}.issuer",
                "is identity.issuer, too: its tokens would pass for those of the gateway",
                "use the URL of the gateway as identity.issuer, and of the provider here",
            )
