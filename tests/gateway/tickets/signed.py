"""Signing keys and an issuer for tickets in Redis."""

from pathlib import Path

from gateway.identity.internal_tokens import InternalTokens
from gateway.identity.key_file_rotation import rotate_key_file
from gateway.identity.key_timetable import SigningKeys
from gateway.identity.signing_key import SigningKey, generate_signing_key
from gateway.identity.signing_key_provider import SigningKeyProvider
from gateway.settings.schema import Identity, Issuer, Settings
from tests.gateway.identity.verifiers import GATEWAY

ISSUER = Issuer.model_validate(
    {"issuer": "https://iss.test", "audience": "a", "jwks_url": "https://iss.test/keys"}
)
KEY = generate_signing_key("ES256", 0)


def make_tokens(*keys: SigningKey, issuer: str = GATEWAY) -> InternalTokens:
    """Make the signer of a gateway."""
    provider = SigningKeyProvider(SigningKeys(keys or [KEY]))
    return InternalTokens(issuer, provider, max_entries=1)


def with_key_file(settings: Settings, folder: Path) -> Settings:
    """Return the settings with a key file."""
    path = folder / "signing.jwks"
    rotate_key_file(path, "ES256", 0)
    identity = Identity(issuer=GATEWAY, signing_key_file=path)
    return settings.model_copy(update={"identity": identity})
