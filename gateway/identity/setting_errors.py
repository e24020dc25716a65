"""Finds the errors in the settings about internal tokens that a schema cannot find."""

from collections.abc import Iterator

from gateway.identity.signing_key_file import read_signing_keys
from gateway.settings.errors import ConfigError
from gateway.settings.issuer_names import list_issuer_names
from gateway.settings.schema import Settings

SET_SIGNING_KEY = (
    "run `lockgate signing-keys rotate --file FILE`, and set identity.issuer and"
    " identity.signing_key_file"
)
"""What to do about a missing signing key."""


def find_identity_errors(settings: Settings) -> list[ConfigError]:
    """Find a key file without usable keys, an issuer that is also that of a provider, and services
    that ask for an internal token without a key. Blocks while it reads the file.
    """
    return [
        *_find_key_file_errors(settings),
        *_find_issuer_conflicts(settings),
        *_find_unsigned_services(settings),
    ]


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


def _find_unsigned_services(settings: Settings) -> Iterator[ConfigError]:
    if settings.identity.signing_key_file is None:
        for name, service in settings.upstreams.items():
            if service.internal_token:
                yield ConfigError(
                    f"upstreams.{name}.internal_token",
                    "is set, but there is no key to sign the token with",
                    SET_SIGNING_KEY,
                )
