"""Finds words, function names and duplicate names that this project does not use.

`python -m tests.architecture.words` prints each finding with its file, its line and what to write
instead, and exits with status 1 if there are any. Paths as arguments restrict the output to files
below them.
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.architecture.sources import PACKAGES, ROOT, get_relative_path, list_python_files
from tests.architecture.vocabulary import (
    ALLOWED_FUNCTIONS,
    ALLOWED_WORDS,
    FORMER_NAMES,
    IRREGULAR_PARTICIPLES,
    NOT_PARTICIPLES,
    PHRASES,
    PREPOSITIONS,
)

# The lists themselves, the tests that quote them, and the benchmark peers in their own style.
EXEMPT = (
    "tests/architecture/vocabulary.py",
    "tests/architecture/test_words.py",
    "tests/bench/peers/",
)

# Words of a phrase can be separated by a line break, with the comment sign of the next line.
_GAP = r"[\s#]+"
# An underscore separates words, so that the words of an identifier are found too.
_START, _END = r"(?<![A-Za-z0-9])", r"(?![A-Za-z0-9])"

_Function = ast.FunctionDef | ast.AsyncFunctionDef


class Finding(NamedTuple):
    """A use of a word or a name, and what to write instead."""

    file: str
    line: int
    found: str
    instead: str

    def __str__(self) -> str:
        """Format the finding as one line of output."""
        return f"{self.file}:{self.line}: {self.found} -> {self.instead}"


def _compile_phrase(phrase: str, flags: int) -> re.Pattern[str]:
    words = _GAP.join(re.escape(word) for word in phrase.split())
    return re.compile(_START + words + _END, flags)


_PATTERNS = [
    (phrase, instead, _compile_phrase(phrase, flags))
    for phrases, flags in ((PHRASES, re.IGNORECASE), (FORMER_NAMES, 0))
    for phrase, instead in phrases.items()
]


def find_phrases(file: str, segments: Iterable[tuple[int, str]]) -> Iterator[Finding]:
    """Find phrases in the segments of a file; a segment is a first line number and a text."""
    allowed = ALLOWED_WORDS.get(file, ())
    for first_line, text in segments:
        for phrase, instead, pattern in _PATTERNS:
            if phrase in allowed:
                continue
            for match in pattern.finditer(text):
                line = first_line + text.count("\n", 0, match.start())
                found = re.sub(_GAP, " ", match[0])
                yield Finding(file, line, f"'{found}'", instead)


def extract_prose(source: str) -> list[tuple[int, str]]:
    """Extract the comments, docstrings and names of functions and classes of a Python file."""
    segments: list[tuple[int, str]] = [
        (token.start[0], token.string)
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    ]
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef | _Function):
            segments.append((node.lineno, node.name))
        if isinstance(node, ast.Module | ast.ClassDef | _Function) and ast.get_docstring(node):
            docstring = node.body[0]
            end = docstring.end_lineno or docstring.lineno
            segments.append((docstring.lineno, "\n".join(lines[docstring.lineno - 1 : end])))
    return segments


def is_participle(name: str) -> bool:
    """Return whether a function name is a past participle, alone or before a preposition.

    A participle before a noun (`shared_limit`) is an adjective and does not count.
    """
    word, _, rest = name.partition("_")
    if rest and rest.partition("_")[0] not in PREPOSITIONS:
        return False
    return word in IRREGULAR_PARTICIPLES or (word.endswith("ed") and word not in NOT_PARTICIPLES)


def find_participles(file: str, source: str) -> Iterator[Finding]:
    """Find public functions and methods whose name is a past participle."""
    for owner in ast.walk(ast.parse(source)):
        if not isinstance(owner, ast.Module | ast.ClassDef):
            continue
        for node in owner.body:
            if not isinstance(node, _Function) or _is_property_or_fixture(node):
                continue
            if is_participle(node.name) and node.name not in ALLOWED_FUNCTIONS:
                yield Finding(file, node.lineno, f"function '{node.name}'", "an imperative verb")


def _is_property_or_fixture(function: _Function) -> bool:
    decorators = " ".join(ast.unparse(decorator) for decorator in function.decorator_list)
    return bool(re.search(r"\b(cached_)?property\b|\.setter\b|\bfixture\b", decorators))


def find_duplicate_types(sources: Iterable[tuple[str, str]]) -> Iterator[Finding]:
    """Find public classes of the same name in two modules; `sources` are paths and texts."""
    first_use: dict[str, str] = {}
    for file, source in sources:
        for node in ast.parse(source).body:
            if not isinstance(node, ast.ClassDef) or node.name.startswith("_"):
                continue
            if node.name in first_use:
                instead = f"another name: {first_use[node.name]} has this one"
                yield Finding(file, node.lineno, f"type '{node.name}'", instead)
            first_use.setdefault(node.name, file)


def find_duplicate_stems(files: Iterable[str]) -> Iterator[Finding]:
    """Find modules of the same name within one top-level package.

    The top-level packages are `clients`, `config` and each folder of `gateway`, sub-folders
    included.
    """
    first_use: dict[tuple[str, str], str] = {}
    for file in files:
        folders, stem = Path(file).parts[:-1], Path(file).stem
        package = "/".join(folders[:2] if folders[:1] == ("gateway",) else folders[:1])
        if stem == "__init__":
            continue
        if (package, stem) in first_use:
            instead = f"another name: {first_use[package, stem]} has this one"
            yield Finding(file, 1, f"module '{stem}'", instead)
        first_use.setdefault((package, stem), file)


def list_texts() -> Iterator[Path]:
    """List the documentation and the other files that are read as a whole."""
    yield from (ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "Makefile", ROOT / ".ci" / "run")
    for folder, pattern in (
        ("docs", "*.md"),
        ("gateway", "*.lua"),
        ("config", "*.toml"),
        ("tests/bench/native", "*.[ch]"),
    ):
        yield from sorted((ROOT / folder).rglob(pattern))


def read_project() -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """Read the product's modules, the tests and the other texts, each as a path and its text."""
    product, tests, texts = (
        {get_relative_path(file): file.read_text(encoding="utf-8") for file in files}
        for files in (list_python_files(*PACKAGES), list_python_files("tests"), list_texts())
    )
    return product, tests, texts


def find_all() -> list[Finding]:
    """Find everything in the project, sorted by file and line."""
    product, tests, texts = read_project()
    findings: list[Finding] = []
    for file, source in (product | texts).items():
        findings += find_phrases(file, [(1, source)])
    for file, source in tests.items():
        findings += find_phrases(file, extract_prose(source))
    for file, source in (product | tests).items():
        findings += find_participles(file, source)
    findings += find_duplicate_types(product.items())
    findings += find_duplicate_stems(product)
    return sorted(finding for finding in findings if not finding.file.startswith(EXEMPT))


def main(paths: Sequence[str] = ()) -> int:
    """Print the findings, or only those in files below `paths`; return 1 if there are any."""
    findings = [one for one in find_all() if not paths or one.file.startswith(tuple(paths))]
    for finding in findings:
        print(finding)
    if findings:
        files = {finding.file for finding in findings}
        print(f"{len(findings)} findings in {len(files)} files", file=sys.stderr)
    return int(bool(findings))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
