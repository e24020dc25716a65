"""What is wrong with the settings, said so that one can put it right."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches


@dataclass(frozen=True, slots=True)
class ConfigError:
    """One thing wrong with the settings: where, what, and what would be right."""

    path: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        """One line, as `lockgate check` prints it."""
        return f"{self.path}: {self.message}" + (f" ({self.hint})" if self.hint else "")


class InvalidSettings(ValueError):
    """The settings cannot be used; `errors` says why, all at once."""

    def __init__(self, errors: list[ConfigError]) -> None:
        super().__init__("\n".join(map(str, errors)))
        self.errors = errors


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint at the known name most like `name`, or the list of all."""
    names = sorted(known)
    close = get_close_matches(name.lower(), names, n=1)
    return f"did you mean {close[0]}?" if close else f"known here: {', '.join(names)}"
