"""No file contains a path of a developer's machine or the name of a package registry."""

import re

import pytest

from tests.docs.project import find_files, relative_path

TEXT = (
    ".py", ".md", ".toml", ".lock", ".yaml", ".yml", ".json", ".lua", ".sh", "Makefile",
    "Dockerfile", "ignore", "run",
)  # fmt: skip

# Concatenated, so that this file does not contain the strings it searches for.
MACHINE = [f"/{folder}/" for folder in ("work", "home", "root", "Users", "tmp")]
REGISTRY = [
    first + second
    for first, second in (
        ("pypi", ".org"), ("files.python", "hosted"), ("index", "-url"), ("npmjs", ".com"),
        ("proxy.golang", ".org"),
    )
]  # fmt: skip
FORBIDDEN = re.compile("|".join(re.escape(word) for word in MACHINE + REGISTRY))


def test_no_file_names_a_machine_or_a_registry() -> None:
    texts = {relative_path(file): file.read_text(encoding="utf-8") for file in find_files(*TEXT)}
    assert len(texts) > 200
    assert not [name for name, text in texts.items() if FORBIDDEN.search(text)]


@pytest.mark.parametrize("word", [*MACHINE, *REGISTRY])
def test_the_pattern_finds_each_string(word: str) -> None:
    assert FORBIDDEN.search(f"see https://x{word}simple")
