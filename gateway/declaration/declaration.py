"""`Declaration`, the base class of the declarations that a company lists in a module."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gateway.declaration.invalid_declaration import report_mistakes
from gateway.settings.toml_file import format_file


@dataclass(frozen=True, slots=True)
class Declaration:
    """A declaration with the file and the line where it is written, which the constructor sets.

    `name` is its beginning, as `Proxy('/stock/{path:path}')`. `mistakes` is not empty only while a
    package is loaded, which reports them; see `keep_invalid_declarations`.
    """

    file: str = field(init=False, compare=False, repr=False)
    line: int = field(init=False, compare=False, repr=False)
    name: str = field(init=False, compare=False, repr=False)
    mistakes: Sequence[str] = field(init=False, compare=False, repr=False)

    @property
    def place(self) -> str:
        """Where it is written, as `acme/routes.py:4`."""
        return f"{self.file}:{self.line}"

    def record_mistakes(self, key: object, mistakes: Sequence[str]) -> None:
        """Record where the declaration is written, and its mistakes; `key` is its first argument.

        Raises:
            InvalidDeclaration: there is a mistake, and no package is being loaded.
        """
        kind = type(self)
        file, line = _find_caller(kind.__module__.rpartition(".")[0])
        object.__setattr__(self, "file", file)
        object.__setattr__(self, "line", line)
        object.__setattr__(self, "name", f"{kind.__name__}({key!r:.80})")
        object.__setattr__(self, "mistakes", mistakes)
        report_mistakes(self.name, mistakes)


def _find_caller(package: str) -> tuple[str, int]:
    """Return the file and the line of the call, outside `package` and the one of this module."""
    frame = sys._getframe(1)  # noqa: SLF001 - `inspect.stack` reads the source of every frame
    own = (f"{package}.", f"{__name__.rpartition('.')[0]}.")
    while f"{frame.f_globals.get('__name__')}.".startswith(own) and frame.f_back:
        frame = frame.f_back
    return format_file(Path(frame.f_code.co_filename)), frame.f_lineno
