"""The line of every key of a TOML file, compared with the file itself."""

import tomllib
from pathlib import Path
from textwrap import dedent
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.settings import toml_file
from gateway.settings.toml_file import format_file, read_toml


def find_lines(folder: Path, text: str) -> dict[str, int]:
    """Return the line of each key and table by its path."""
    file = folder / "a.toml"
    file.write_text(dedent(text))
    layer = read_toml(file, "--config")
    assert not layer.errors
    sources = layer.sources.items()
    return {".".join(path): int(source.rpartition(":")[2]) for path, source in sources}


def test_keys_and_tables_have_the_line_of_their_statement(tmp_path: Path) -> None:
    lines = find_lines(
        tmp_path,
        """\
        redis_url = "redis://h"  # [server]
        upstreams.users.url = "http://users"

        [server]
        port = 1
        text = '''
        port = 2
        [log]
        '''
        trusted_proxies = [
          "10.0.0.0/8",  # port = 3
        ]
        [ "upstreams" . orders ]
        headers = {X-Key = "a", b = {c = 1}}
        """,
    )
    assert lines == {
        "redis_url": 1,
        "upstreams": 2,
        "upstreams.users": 2,
        "upstreams.users.url": 2,
        "server": 4,
        "server.port": 5,
        "server.text": 6,
        "server.trusted_proxies": 10,
        "upstreams.orders": 13,
        "upstreams.orders.headers": 14,
        "upstreams.orders.headers.x-key": 14,
        "upstreams.orders.headers.b": 14,
        "upstreams.orders.headers.b.c": 14,
    }


def test_an_entry_of_an_array_of_tables_has_its_index(tmp_path: Path) -> None:
    lines = find_lines(
        tmp_path,
        """\
        [[issuers]]
        issuer = "a"
        [issuers.inner]
        x = 1
        [[issuers]]
        issuer = "b"
        [[issuers.inner.list]]
        [[issuers.inner.list]]
        y = 2
        """,
    )
    assert lines == {
        "issuers.0": 1,
        "issuers.0.issuer": 2,
        "issuers.0.inner": 3,
        "issuers.0.inner.x": 4,
        "issuers.1": 5,
        "issuers.1.issuer": 6,
        "issuers.1.inner.list.0": 7,
        "issuers.1.inner.list.1": 8,
        "issuers.1.inner.list.1.y": 9,
    }


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_lines_may_end_in_a_carriage_return(tmp_path: Path, newline: str) -> None:
    file = tmp_path / "a.toml"
    file.write_bytes(f"[server]{newline}port = 1{newline}".encode())
    assert read_toml(file, "--config").sources["server", "port"] == f"{file}:2"


# Statements whose strings, comments and brackets could hide where they end. Each spans the lines
# that it has here, and the first has the key.
STATEMENTS = [
    "{} = 1",
    "{} = 1 # [ \" '''",
    "{} = [\n 1, # ]\n [2,\n 3]]",
    '{} = "]\\" # ["',
    "{} = '\\'",
    "{} = ''",
    '{} = ""',
    "{} = '''\nx = ''[ # \n'''''",
    '{} = """\n[x]\\""" ""\\\\\n"""""',
    "{} = {{b = [\n1], c = '''\n}}'''}}",
    "{} = 1\n\n# a = 1\n",
]


@given(st.lists(st.sampled_from(STATEMENTS), max_size=12))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_statement_has_its_first_line(tmp_path: Path, statements: list[str]) -> None:
    text, expected = "", {}
    for index, statement in enumerate(statements):
        expected[f"k{index}"] = text.count("\n") + 1
        text += statement.format(f"k{index}") + "\n"
    lines = find_lines(tmp_path, text)
    assert {key: line for key, line in lines.items() if "." not in key} == expected


@pytest.mark.parametrize(
    ("first", "line", "last"),
    [
        ("a = [", '"x",', "]"),
        ('a = """', "x = [", '"""'),
        ("", "# comment [", ""),
        ("", "[[a]]\n[[a.b]]", ""),
        ("", "", ""),
    ],
)
def test_each_statement_of_a_large_file_is_parsed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: str, line: str, last: str
) -> None:
    text = "\n".join([first, *[line] * 2_000, last])
    parsed = list[str]()

    def loads(statement: str) -> dict[str, object]:
        parsed.append(statement)
        return tomllib.loads(statement)

    monkeypatch.setattr(toml_file, "tomllib", SimpleNamespace(loads=loads))
    find_lines(tmp_path, text)
    assert sum(map(len, parsed)) <= 2 * len(text) + 1


def test_a_key_below_many_tables_has_no_line(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    deep = ".".join(["a"] * 500)
    file.write_text(f"{deep} = 1\n[b.{deep}]\nc = 1\n[b]\nd = 1\n")
    sources = read_toml(file, "--config").sources
    assert max(map(len, sources)) < 50
    assert sources["b", "d"] == f"{file}:5"


def test_a_file_below_the_working_directory_has_a_relative_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert format_file(tmp_path / "config" / "a.toml") == "config/a.toml"
    assert format_file(Path("a.toml")) == "a.toml"
    assert format_file(tmp_path.parent / "a.toml") == str(tmp_path.parent / "a.toml")
