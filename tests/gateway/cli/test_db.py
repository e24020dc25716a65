"""`lockgate db`: the schema of a database is upgraded and shown."""

import json
from pathlib import Path

import pytest
from sqlalchemy import text

from gateway.cli.main import main
from gateway.settings.schema import Settings
from gateway.storage.open_storage import create_database


@pytest.fixture
def url(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("LOCKGATE_DATABASE_URL", database_url)
    return database_url


@pytest.mark.usefixtures("url")
def test_an_empty_database_is_upgraded(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["db", "status"]) == 1
    assert "the database has no schema, and" in capsys.readouterr().out
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
    assert "lockgate: the schema is 9999" in capsys.readouterr().err


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
    assert error == "lockgate: the database cannot be used: no server listens at 127.0.0.1:1\n"


@pytest.mark.parametrize(
    "command",
    [["keys", "list"], ["journal", "verify"], ["clients", "list"], ["key-file", "rotate"]],
)
def test_other_commands_need_the_schema(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    config = tmp_path / "lockgate.toml"
    identity = f'issuer = "https://gateway.test"\nkey_file = "{tmp_path}/keys.jwks"'
    url = f"sqlite:///{tmp_path}/lockgate.db"
    config.write_text(f'database_url = "{url}"\n[identity]\n{identity}\n')
    assert main([*command, "--config", str(config)]) == 1
    error = capsys.readouterr().err
    assert error.startswith("lockgate: the database has no schema, and ")
    assert error.endswith(" is needed: run lockgate db upgrade\n")
