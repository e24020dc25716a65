"""The errors of invalid settings: path, message and hint."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches


@dataclass(frozen=True, slots=True)
class ConfigError:
    """One error: the path of the setting, the problem, and a hint at a correct value."""

    path: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        """Format as one line, as `lockgate check` prints it."""
        return f"{self.path}: {self.message}" + (f" ({self.hint})" if self.hint else "")


class InvalidSettings(ValueError):
    """The settings cannot be used. `errors` has every error that was found."""

    def __init__(self, errors: list[ConfigError]) -> None:
        super().__init__("\n".join(map(str, errors)))
        self.errors = errors


def suggest_nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint with the known name that is most similar to `name`, or with all known names."""
    names = sorted(known)
    close = get_close_matches(name.lower(), names, n=1)
    return f"did you mean {close[0]}?" if close else f"known here: {', '.join(names)}"
