"""Reads a settings file, with the line of each setting."""

import re
import tomllib
from collections.abc import Iterable, Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

from gateway.bounded_file import UnreadableFile, read_bounded_file
from gateway.settings.errors import ConfigError
from gateway.settings.layers import Layer, normalize, normalize_headers
from gateway.settings.setting_path import SettingPath, format_path

MAX_FILE_BYTES = 1_048_576
_MAX_DEPTH = 16  # steps of a path

_POSITION = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")

# The parts of a statement that decide where it ends: strings, comments, brackets, and the
# line breaks between them.
_TOKEN = re.compile(
    r"""
    "{3} (?: [^"\\]++ | \\. | "(?!"") )*+ "{3,5}
    | '{3} .*? '{3,5}
    | " (?: [^"\\\n]++ | \\. )*+ "
    | ' [^'\n]*+ '
    | \#[^\n]*+
    | [\[\]{}\n]
    """,
    re.DOTALL | re.VERBOSE,
)

_REDECLARATION = re.compile(r"Cannot (overwrite|mutate|declare)")
_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")


def read_toml(file: Path, named_by: str) -> Layer:
    """Read a file as a layer; a file that is not TOML in UTF-8 has no values and one error.

    `named_by` is the option or the setting that names the file.
    """
    name = format_file(file)
    try:
        document = _read(file)
        values = normalize_headers(tomllib.loads(document))
        lines = _find_lines(document)
    except UnreadableFile as error:
        return _refuse(name, str(error), f"{named_by} must name a TOML file")
    except tomllib.TOMLDecodeError as error:
        return _refuse(*_locate_syntax_error(name, document, str(error)))
    except RecursionError:
        return _refuse(name, "is nested too deep")
    except _NotUtf8 as error:
        return _refuse(name, str(error))
    except ValueError:
        return _refuse(name, "is not TOML: an integer has too many digits")
    sources = {normalize(path): f"{name}:{line}" for path, line in lines.items()}
    return Layer(values, sources)


class _NotUtf8(Exception):
    """The bytes of the file are not those of a text in UTF-8."""


def format_file(file: Path) -> str:
    """Return the path of a file, relative to the working directory if it is below that."""
    folder = Path.cwd()
    return str(file.relative_to(folder) if file.is_relative_to(folder) else file)


def _refuse(source: str, message: str, hint: str = "") -> Layer:
    return Layer(errors=[ConfigError("", message, hint, source)])


def _read(file: Path) -> str:
    content = read_bounded_file(file, MAX_FILE_BYTES)
    if content.startswith(_UTF_16_MARKS):
        raise _NotUtf8("is UTF-16; save it as UTF-8")
    try:
        return content.decode("utf-8-sig")  # without the byte order mark that Windows adds
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _NotUtf8(f"is not UTF-8 in line {line}; save it as UTF-8") from None


def _locate_syntax_error(name: str, document: str, text: str) -> tuple[str, str]:
    """Return the place and the message of an error of tomllib."""
    position = _POSITION.search(text)
    place = f"{name}:{position[1]}" if position and position[1] else name
    if _REDECLARATION.match(text):
        last_line = int(position[1]) if position and position[1] else document.count("\n") + 1
        return place, _describe_redeclaration(document, last_line)
    problem = _POSITION.sub(" at the end of the file" if place == name else "", text)
    return place, f"is not TOML: {problem[:1].lower()}{problem[1:]}"


def _describe_redeclaration(document: str, last_line: int) -> str:
    """Name the key or the table that the statement in `last_line` repeats, and its first line."""
    statements = list(takewhile(lambda found: found[0] <= last_line, _iter_statements(document)))
    try:
        declarations = list(_iter_declarations(statements))
    except tomllib.TOMLDecodeError:
        declarations = []
    repeated = [path for path, line in declarations if line == statements[-1][0]]
    for path in sorted(repeated, key=len, reverse=True):
        line = next(line for declared, line in declarations if declared == path)
        if line < statements[-1][0]:
            return f"declares {format_path(path)} a second time; line {line} is the first"
    return "declares a key or a table a second time"


def _find_lines(document: str) -> dict[SettingPath, int]:
    """Find the line of every key and table: the first one, if a table is declared in parts."""
    lines: dict[SettingPath, int] = {}
    for path, line in _iter_declarations(_iter_statements(document)):
        lines.setdefault(path, line)
    return lines


def _iter_declarations(statements: Iterable[tuple[int, str]]) -> Iterator[tuple[SettingPath, int]]:
    """Yield the path of every key and table with its line.

    `tomllib` gives no positions, so each statement is parsed once more, on its own. A key that is
    nested deeper than `_MAX_DEPTH` is left out, because the cost of a path grows with its length.
    """
    tables: dict[SettingPath, int] = {}  # the number of entries of each array of tables so far
    table: SettingPath | None = ()
    for number, statement in statements:
        parsed = tomllib.loads(statement)
        if statement.lstrip().startswith("["):
            table = _enter_table(parsed, tables)
            if table is not None:
                yield table, number
        elif table is not None:
            for path in _iter_paths(parsed):
                yield table + path, number


def _iter_statements(document: str) -> Iterator[tuple[int, str]]:
    """Yield each statement with its line. A line break inside a string or a list ends none.

    `tomllib` has accepted the document, so every string and every bracket in it is closed.
    """
    start, line, first, depth = 0, 1, 1, 0
    for token in _TOKEN.finditer(document):
        text = token[0]
        depth += (text in "[{") - (text in "]}")
        line += text.count("\n")
        if text == "\n" and depth == 0:
            if statement := document[start : token.end()].strip():
                yield first, statement
            start, first = token.end(), line
    yield first, document[start:]


def _enter_table(header: dict[str, Any], tables: dict[SettingPath, int]) -> SettingPath | None:
    """Return the path of a table from its header, with the index in each array of tables.

    The path is None if it is deeper than `_MAX_DEPTH`.
    """
    path: SettingPath = ()
    inner: Any = header
    while inner:
        if len(path) >= _MAX_DEPTH:
            return None
        ((key, inner),) = inner.items()
        path += (key,)
        if isinstance(inner, list):  # [[path]] begins a new entry
            tables[path] = tables.get(path, 0) + 1
            inner = {}
        if path in tables:
            path += (str(tables[path] - 1),)
    return path


def _iter_paths(values: dict[str, Any]) -> Iterator[SettingPath]:
    """Yield the path of every key of a statement, those of inline tables included."""
    pending: list[tuple[SettingPath, Any]] = [((), values)]
    while pending:
        path, value = pending.pop()
        if path:
            yield path
        if isinstance(value, dict) and len(path) < _MAX_DEPTH:
            pending += [((*path, key), inner) for key, inner in value.items()]
