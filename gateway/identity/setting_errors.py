"""Finds the errors in the settings about internal tokens that a schema cannot find."""

from collections.abc import Iterator

from gateway.identity.signing_key_file import read_signing_keys
from gateway.settings.errors import ConfigError
from gateway.settings.issuer_names import list_issuer_names
from gateway.settings.schema import Settings


def find_identity_errors(settings: Settings) -> list[ConfigError]:
    """Find a key file without usable keys, and an issuer that is also that of a provider.

    Blocks while it reads the file.
    """
    return [*_find_key_file_errors(settings), *_find_issuer_conflicts(settings)]


def _find_key_file_errors(settings: Settings) -> Iterator[ConfigError]:
    path = settings.identity.signing_key_file
    if path is not None:
        try:
            read_signing_keys(path)
        except ValueError as error:
            hint = "" if path.exists() else f"run `lockgate signing-keys rotate --file {path}`"
            yield ConfigError("identity.signing_key_file", f"{path}: {error}", hint)


def _find_issuer_conflicts(settings: Settings) -> Iterator[ConfigError]:
    """A provider with the name of the gateway could issue tokens that pass for internal ones."""
    for index, issuer in enumerate(settings.issuers):
        if settings.identity.issuer in list_issuer_names(issuer):
            yield ConfigError(
                f"issuers.{index}.issuer",
                "is identity.issuer, too: an internal token is for services, never for the gateway",
                "use the URL of the gateway as identity.issuer, and of the provider here",
            )
