"""The features that are off because a setting is missing, for `lockgate check` and the log."""

from collections.abc import Sequence
from typing import NamedTuple

from gateway.oauth.oauth_requirements import list_missing
from gateway.replay import is_shared_cache_missing
from gateway.settings.schema import Settings


class OffFeature(NamedTuple):
    """A feature, and the settings that it needs and that are not set."""

    name: str
    needs: Sequence[str]

    def __str__(self) -> str:
        """Format as `OAuth (needs database_url, identity.issuer)`."""
        return f"{self.name} (needs {', '.join(self.needs)})"


def list_off_features(settings: Settings) -> list[OffFeature]:
    """Return the features that are off."""
    needs = {
        "revocations": [] if settings.database_url else ["database_url"],
        "API keys": [] if settings.database_url else ["database_url"],
        "OAuth": list_missing(settings),
        "the ops API": [] if settings.ops.audience else ["ops.audience"],
        "changes of limits": _list_missing_for_changes(settings),
        "DPoP": ["redis_url"] if is_shared_cache_missing(settings) else [],
    }
    return [OffFeature(name, missing) for name, missing in needs.items() if missing]


def _list_missing_for_changes(settings: Settings) -> list[str]:
    """Live limits are kept in the database; without the ops API, there are none."""
    return ["database_url"] if settings.ops.audience and not settings.database_url else []
