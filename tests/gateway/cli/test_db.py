"""`lockgate db`: the schema of a database is upgraded and shown."""

import json
from pathlib import Path

import pytest
from sqlalchemy import text

from gateway.cli.main import main
from gateway.settings.schema import Settings
from gateway.storage.open_storage import create_database
from tests.postgresql_server import PostgresqlServer


@pytest.fixture
def url(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("LOCKGATE_DATABASE_URL", database_url)
    return database_url


def test_an_empty_database_is_upgraded(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["db", "status"]) == 1
    is_file = url.startswith("sqlite")
    expected = "does not exist yet" if is_file else "the database has no schema, and"
    output = capsys.readouterr()
    assert expected in (output.err if is_file else output.out)
    assert main(["db", "upgrade"]) == 0
    assert "the schema is upgraded from nothing to" in capsys.readouterr().out
    assert main(["db", "upgrade"]) == 0
    assert "the schema is current" in capsys.readouterr().out
    assert main(["db", "status", "--json"]) == 0
    status = json.loads(capsys.readouterr().out)
    assert status["state"] == "current"
    assert status["revision"] == status["newest"]


def test_a_later_schema_is_refused(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["db", "upgrade"])
    database = create_database(Settings(database_url=url))
    database.write_now(
        lambda connection: connection.execute(text("UPDATE schema_version SET version_num='9999'"))
    )
    database.close()
    capsys.readouterr()
    assert main(["db", "status"]) == 1
    assert "install the version that made it" in capsys.readouterr().out
    assert main(["db", "upgrade"]) == 1
    assert "lockgate: database_url: the schema is 9999" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["db", "status"], ["db", "upgrade"], ["journal", "list"]])
def test_without_a_database(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command) == 2
    assert "database_url: must be set (sqlite:///lockgate.db, or" in capsys.readouterr().err


def test_a_database_that_is_down(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOCKGATE_DATABASE_URL", "postgresql://jane:hunter2@127.0.0.1:1/lockgate")
    assert main(["db", "status"]) == 1
    error = capsys.readouterr().err
    assert (
        error
        == "lockgate: database_url: the database cannot be used: no server listens at 127.0.0.1:1\n"
    )


_COMMANDS = [["keys", "list"], ["journal", "verify"], ["clients", "list"], ["key-file", "rotate"]]


def _configure(folder: Path, url: str) -> list[str]:
    config = folder / "lockgate.toml"
    identity = f'issuer = "https://gateway.test"\nkey_file = "{folder}/keys.jwks"'
    config.write_text(f'database_url = "{url}"\n[identity]\n{identity}\n')
    return ["--config", str(config)]


@pytest.mark.parametrize("command", _COMMANDS)
def test_other_commands_need_the_schema_of_a_server(
    tmp_path: Path,
    postgresql: PostgresqlServer,
    capsys: pytest.CaptureFixture[str],
    command: list[str],
) -> None:
    assert main([*command, *_configure(tmp_path, postgresql.create_database())]) == 1
    error = capsys.readouterr().err
    assert error.startswith("lockgate: database_url: the database has no schema, and ")
    assert error.endswith(" is needed: run lockgate db upgrade\n")


@pytest.mark.parametrize("command", [["db", "status"], *_COMMANDS])
def test_other_commands_create_no_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    file = tmp_path / "lockgate.db"
    assert main([*command, *_configure(tmp_path, f"sqlite:///{file}")]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"lockgate: database_url: the database {file} does not exist yet: ")
    assert not file.exists()


@pytest.mark.parametrize(
    "command",
    [["clients", "add", "bff"], ["keys", "add", "export", "--scope", "a"], ["revoke", "all"]],
)
@pytest.mark.parametrize("exists", [False, True])
def test_a_command_creates_and_upgrades_a_file_as_the_gateway_does(
    tmp_path: Path, command: list[str], exists: bool
) -> None:
    file = tmp_path / "lockgate.db"
    if exists:
        file.touch()
    config = _configure(tmp_path, f"sqlite:///{file}")
    assert main([*command, *config]) == 0
    assert main(["db", "status", *config]) == 0
