"""The errors of invalid settings: path, message, hint and the source of the value."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from gateway.startup_error import StartupError

PREFIX = "LOCKGATE_"
"""The beginning of the name of every variable."""


@dataclass(frozen=True, slots=True)
class ConfigError:
    """One error: the path of the setting, the problem, and a hint at a correct value.

    `source` is what sets the value: a file with a line, a variable or an option of the command
    line. It is empty for a setting that is not set, and for an error in the code of a package.
    """

    path: str
    message: str
    hint: str = ""
    source: str = ""

    def __str__(self) -> str:
        """Format as one line, as `lockgate check` prints it.

        The path is omitted if the source is its variable or its option. Characters that a terminal
        might interpret are escaped.
        """
        path = "" if self.source and self._is_named_by_source() else self.path
        place = ": ".join(filter(None, (self.source, path)))
        return escape(f"{place}: {self.message}" + (f" ({self.hint})" if self.hint else ""))

    def _is_named_by_source(self) -> bool:
        option = f"--{self.path.rpartition('.')[2]}"
        return self.source.upper() == get_variable(self.path) or self.source == option


class InvalidSettings(StartupError, ValueError):
    """The settings cannot be used. `errors` has every error that was found."""

    exit_status = 2

    def __init__(self, errors: list[ConfigError]) -> None:
        super().__init__("\n".join(map(str, errors)))
        self.errors = errors

    def list_messages(self) -> list[str]:
        """Return one line for each error."""
        return list(map(str, self.errors))


def get_variable(path: str) -> str:
    """Return the name of the variable of a setting: `server.port` is LOCKGATE_SERVER__PORT."""
    return PREFIX + path.replace(".", "__").upper()


def suggest_nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint with the known name that is most similar to `name`, or with all known names."""
    names = sorted(known)
    close = find_nearest(name, names)
    return f"did you mean {close}?" if close else f"known here: {', '.join(names) or 'none'}"


def find_nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most similar to `name`; None if none is similar."""
    return next(iter(get_close_matches(name.lower(), list(known), n=1)), None)


def escape(text: str) -> str:
    """Escape the characters that are not printable, such as a line break or a lone surrogate."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )
