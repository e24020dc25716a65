"""Whether OAuth is on: what it needs of the settings."""

from gateway.settings.schema import Settings


def is_oauth_on(settings: Settings) -> bool:
    """Whether the settings have all that OAuth needs."""
    return not list_missing(settings)


def list_missing(settings: Settings) -> list[str]:
    """Return the settings that are missing for OAuth, all of them if it is not meant to be on."""
    needs = {
        "database_url": settings.database_url,
        "identity.issuer": settings.identity.issuer,
        "identity.signing_key_file": settings.identity.signing_key_file,
    }
    return [name for name, value in needs.items() if value is None]
