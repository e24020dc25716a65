"""Nothing in the project names a machine it was written on, or where packages come from."""

import re

import pytest

from tests.docs.project import files, shown

TEXT = (
    ".py", ".md", ".toml", ".lock", ".yaml", ".yml", ".json", ".lua", ".sh", "Makefile",
    "Dockerfile", "ignore", "run",
)  # fmt: skip

# Put together, so that this file does not name what it looks for.
MACHINE = [f"/{folder}/" for folder in ("work", "home", "root", "Users", "tmp")]
REGISTRY = [
    first + second
    for first, second in (
        ("pypi", ".org"), ("files.python", "hosted"), ("index", "-url"), ("npmjs", ".com"),
        ("proxy.golang", ".org"),
    )
]  # fmt: skip
UNWANTED = re.compile("|".join(re.escape(word) for word in MACHINE + REGISTRY))


def test_no_file_names_a_machine_or_a_registry() -> None:
    texts = {shown(file): file.read_text(encoding="utf-8") for file in files(*TEXT)}
    assert len(texts) > 200
    assert not [name for name, text in texts.items() if UNWANTED.search(text)]


@pytest.mark.parametrize("word", [*MACHINE, *REGISTRY])
def test_each_of_them_would_be_found(word: str) -> None:
    assert UNWANTED.search(f"see https://x{word}simple")
