"""Reads a settings file, with the line of each setting."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gateway.settings.errors import ConfigError
from gateway.settings.layers import Layer, normalize, normalize_headers
from gateway.settings.setting_path import SettingPath

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
_UTF_8_MARK, _UTF_16_MARKS = b"\xef\xbb\xbf", (b"\xff\xfe", b"\xfe\xff")


def read_toml(file: Path, named_by: str) -> Layer:
    """Read a file as a layer; a file that is not TOML in UTF-8 has no values and one error.

    `named_by` is the option or the setting that names the file.
    """
    name = format_file(file)
    try:
        document = _read(file)
        values = normalize_headers(tomllib.loads(document))
        lines = _find_lines(document)
    except OSError as error:
        return _refuse(name, _describe_os_error(error), f"{named_by} must name a TOML file")
    except tomllib.TOMLDecodeError as error:
        return _refuse(*_locate_syntax_error(name, str(error)))
    except RecursionError:
        return _refuse(name, "is nested too deep")
    except _UnreadableFile as error:
        return _refuse(name, str(error))
    except ValueError:
        return _refuse(name, "is not TOML: an integer has too many digits")
    sources = {normalize(path): f"{name}:{line}" for path, line in lines.items()}
    return Layer(values, sources)


class _UnreadableFile(Exception):
    """The bytes of the file are not those of a text in UTF-8."""


def format_file(file: Path) -> str:
    """Return the path of a file, relative to the working directory if it is below that."""
    folder = Path.cwd()
    return str(file.relative_to(folder) if file.is_relative_to(folder) else file)


def _refuse(source: str, message: str, hint: str = "") -> Layer:
    return Layer(errors=[ConfigError("", message, hint, source)])


def _read(file: Path) -> str:
    with file.open("rb") as stream:
        content = stream.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise _UnreadableFile(f"is larger than {MAX_FILE_BYTES} bytes")
    if content.startswith(_UTF_8_MARK):
        raise _UnreadableFile("begins with a byte order mark (BOM); save it as UTF-8 without a BOM")
    if content.startswith(_UTF_16_MARKS):
        raise _UnreadableFile("is UTF-16; save it as UTF-8")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _UnreadableFile(f"is not UTF-8 in line {line}; save it as UTF-8") from None


def _describe_os_error(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, IsADirectoryError):
        return "is a directory, not a file"
    return f"cannot be read: {error.strerror or error}"


def _locate_syntax_error(name: str, text: str) -> tuple[str, str]:
    """Return the place and the message of an error of tomllib."""
    position = _POSITION.search(text)
    place = f"{name}:{position[1]}" if position and position[1] else name
    if _REDECLARATION.match(text):
        return place, "declares a key or a table a second time"
    problem = _POSITION.sub(" at the end of the file" if place == name else "", text)
    return place, f"is not TOML: {problem[:1].lower()}{problem[1:]}"


def _find_lines(document: str) -> dict[SettingPath, int]:
    """Find the line of every key and table.

    `tomllib` gives no positions, so each statement is parsed once more, on its own. A key that is
    nested deeper than `_MAX_DEPTH` is left out, because the cost of a path grows with its length.
    """
    lines: dict[SettingPath, int] = {}
    tables: dict[SettingPath, int] = {}  # the number of entries of each array of tables so far
    table: SettingPath | None = ()
    for number, statement in _iter_statements(document):
        parsed = tomllib.loads(statement)
        if statement.lstrip().startswith("["):
            table = _enter_table(parsed, tables)
            if table is not None:
                lines.setdefault(table, number)
        elif table is not None:
            for path in _iter_paths(parsed):
                lines.setdefault(table + path, number)
    return lines


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
