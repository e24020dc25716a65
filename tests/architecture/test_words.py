"""The checker of words and names finds violations, and no false alarms.

`make check` runs it on the project.
"""

import pytest

from tests.architecture import words
from tests.architecture.vocabulary import (
    ALLOWED_FUNCTIONS,
    ALLOWED_WORDS,
    FORMER_NAMES,
    IRREGULAR_PARTICIPLES,
    NOT_PARTICIPLES,
    PHRASES,
)
from tests.architecture.words import (
    Finding,
    extract_prose,
    find_duplicate_stems,
    find_duplicate_types,
    find_participles,
    find_phrases,
    is_participle,
    list_texts,
    main,
    read_project,
)


def find_in_text(text: str, file: str = "gateway/a.py") -> list[tuple[int, str]]:
    return [(finding.line, finding.found) for finding in find_phrases(file, [(1, text)])]


@pytest.mark.parametrize(
    ("text", "line", "found"),
    [
        ("one\ntwo, lest it break", 2, "'lest'"),
        ("Lest it break", 1, "'Lest'"),
        ("def mend_it(): ...", 1, "'mend'"),
        ("# a call is told\n# of here", 1, "'told of'"),
        ("it wants\n  a token", 1, "'wants a'"),
        ("class Bell: ...", 1, "'Bell'"),
        ("raise Error('an answer to nothing')", 1, "'an answer to nothing'"),
    ],
)
def test_a_phrase_is_found(text: str, line: int, found: str) -> None:
    assert find_in_text(text) == [(line, found)]


@pytest.mark.parametrize(
    "text",
    [
        "the smallest, the latest, unless tests fail",
        "it recommends and amends",
        "a doorbell rings; ring the bell",
        "he told them offline",
        "it wants\n\n- a list",
        "an endearing name, Deardorff",
    ],
)
def test_a_part_of_a_word_or_another_word_is_no_finding(text: str) -> None:
    assert not find_in_text(text)


def test_a_word_can_be_allowed_for_one_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "ALLOWED_WORDS", {"docs/quote.md": ["lest"]})
    assert not find_in_text("lest", "docs/quote.md")
    assert find_in_text("lest mended", "docs/quote.md") == [(1, "'mended'")]
    assert find_in_text("lest", "docs/other.md") == [(1, "'lest'")]


def test_only_comments_docstrings_and_names_of_a_test_file_are_read() -> None:
    source = '''"""Module lest."""

hostile = "lest"


class Bell:
    """Type
    lest."""

    def mend(self) -> None:  # lest
        return "lest"
'''
    found = sorted((f.line, f.found) for f in find_phrases("tests/a.py", extract_prose(source)))
    assert found == [
        (1, "'lest'"),
        (6, "'Bell'"),
        (8, "'lest'"),
        (10, "'lest'"),
        (10, "'mend'"),
    ]


@pytest.mark.parametrize(
    "name", ["opened", "written", "noted", "told_to_stop", "counted_as", "opened_and_closed"]
)
def test_a_participle_is_recognized(name: str) -> None:
    assert is_participle(name)


@pytest.mark.parametrize(
    "name",
    ["embed", "feed", "read", "put", "shared_limit", "connection_lost", "is_closed", "seed_all"],
)
def test_an_imperative_or_a_noun_is_no_participle(name: str) -> None:
    assert not is_participle(name)


def test_public_functions_and_methods_are_checked_except_properties_and_fixtures() -> None:
    source = """
def opened(): ...
def _opened(): ...
def open_it(): ...
@pytest.fixture
def started(): ...
class Pool:
    def closed(self): ...
    @property
    def lost(self): ...
    async def kept(self): ...
def limited(): ...
"""
    found = [(f.line, f.found) for f in find_participles("gateway/a.py", source)]
    assert found == [
        (2, "function 'opened'"),
        (8, "function 'closed'"),
        (11, "function 'kept'"),
    ]


def test_a_type_name_is_used_once() -> None:
    sources = [
        ("gateway/a.py", "class Address: ...\nclass _Private: ..."),
        ("gateway/b/c.py", "class _Private: ...\n\nclass Address: ..."),
    ]
    assert list(find_duplicate_types(sources)) == [
        Finding(
            "gateway/b/c.py",
            3,
            "type 'Address'",
            "another name: gateway/a.py has this one",
        )
    ]


def test_a_module_name_is_used_once_in_a_top_level_package() -> None:
    files = [
        "clients/users.py",
        "config/users.py",
        "gateway/app.py",
        "gateway/auth/__init__.py",
        "gateway/auth/jwt/__init__.py",
        "gateway/auth/jwt/app.py",
        "gateway/auth/keys.py",
        "gateway/auth/jwks/keys.py",
        "gateway/demo/keys.py",
    ]
    assert [(f.file, f.found) for f in find_duplicate_stems(files)] == [
        ("gateway/auth/jwks/keys.py", "module 'keys'")
    ]


def test_findings_are_printed_and_set_the_exit_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    finding = Finding("gateway/a.py", 3, "'lest'", "so that ... not")
    monkeypatch.setattr(words, "find_all", lambda: [finding])
    assert main() == 1
    assert capsys.readouterr().out == "gateway/a.py:3: 'lest' -> so that ... not\n"
    assert main(["gateway/"]) == 1
    assert main(["docs/"]) == 0
    monkeypatch.setattr(words, "find_all", list)
    assert main() == 0


def test_the_whole_project_is_read() -> None:
    product, tests, texts = read_project()
    assert {"gateway/app.py", "clients/__init__.py", "config/__init__.py"} <= product.keys()
    assert {"tests/conftest.py", "tests/gateway/conftest.py"} <= tests.keys()
    assert {
        "README.md", "Makefile", "docs/tutorial.md", "gateway/ratelimit/redis/lua/count.lua",
    } <= texts.keys()  # fmt: skip


def test_the_lists_are_consistent() -> None:
    assert not PHRASES.keys() & FORMER_NAMES.keys()
    assert not IRREGULAR_PARTICIPLES & NOT_PARTICIPLES
    assert all(is_participle(name) for name in ALLOWED_FUNCTIONS)
    listed = {phrase for phrases in ALLOWED_WORDS.values() for phrase in phrases}
    assert listed <= PHRASES.keys() | FORMER_NAMES.keys()
    assert all(file.is_file() for file in list_texts())
