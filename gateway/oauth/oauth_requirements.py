"""Whether OAuth is on: what it needs of the settings."""

from gateway.settings.schema import Settings


def is_oauth_on(settings: Settings) -> bool:
    """Whether the settings have all that OAuth needs."""
    return not list_missing(settings)


def list_missing(settings: Settings) -> list[str]:
    """Return the settings that OAuth needs, and that are not set."""
    identity = settings.identity
    is_set = {
        "database_url": settings.database_url is not None,
        "identity.issuer": identity.issuer is not None,
        "identity.key_file": identity.has_signing_keys,  # or signing_key_file
    }
    return [name for name, found in is_set.items() if not found]
