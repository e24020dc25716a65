"""The errors of a change of live limits; each says what was wrong and how to go on."""

from collections.abc import Sequence

from gateway.settings.errors import ConfigError


class InvalidDocument(ValueError):
    """A live document cannot be used. `errors` has every mistake, each with its field's path."""

    def __init__(self, errors: Sequence[ConfigError]) -> None:
        super().__init__("\n".join(map(str, errors)))
        self.errors = list(errors)


class VersionConflict(Exception):
    """The policy has been changed meanwhile; `current` is its version now."""

    def __init__(self, current: int) -> None:
        super().__init__(f"the policy is at version {current} now; read it again before a change")
        self.current = current


class UnknownPolicy(LookupError):
    """The code declares no policy of this name."""

    def __init__(self, name: str, hint: str) -> None:
        super().__init__(f"there is no policy {name!r:.80}; {hint}")
        self.name = name


class UnknownVersion(LookupError):
    """The journal has no such version of the policy."""

    def __init__(self, version: int) -> None:
        super().__init__(f"the policy has no version {version}")
        self.version = version


class NoDatabase(Exception):
    """Live limits are kept in the database, and the gateway has none."""

    def __init__(self) -> None:
        super().__init__(
            "the gateway has no database, where live limits are kept: set database_url, to "
            "sqlite:///lockgate.db for one process or postgresql://... for several"
        )
