"""Whether OAuth is on: what it needs of the settings."""

from collections.abc import Iterator

from gateway.settings.errors import ConfigError
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


def find_lifetime_errors(settings: Settings) -> Iterator[ConfigError]:
    """Require that a revocation outlives the tokens that the gateway issues; else it refuses them.

    A bound that is longer than any of its tokens, as the default is, is never in the way.
    """
    seconds, longest = settings.oauth.token_seconds, settings.tokens.max_lifetime_seconds
    if is_oauth_on(settings) and longest < seconds:
        yield ConfigError(
            "tokens.max_lifetime_seconds",
            f"must be at least oauth.token_seconds, which is {seconds} (got {longest:g})",
        )
