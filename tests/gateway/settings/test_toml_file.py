"""The line of every key of a TOML file, compared with the file itself."""

from pathlib import Path
from textwrap import dedent

import pytest

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


def test_a_file_below_the_working_directory_has_a_relative_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert format_file(tmp_path / "config" / "a.toml") == "config/a.toml"
    assert format_file(Path("a.toml")) == "a.toml"
    assert format_file(tmp_path.parent / "a.toml") == str(tmp_path.parent / "a.toml")
