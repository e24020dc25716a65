"""`lockgate journal`: lists the changes, and finds one that was altered."""

import json
import sqlite3
from functools import partial
from pathlib import Path

import pytest

from gateway.cli.main import main
from gateway.ratelimit.live.write_limit import change_limit
from gateway.settings.schema import Settings
from gateway.storage.journal import Author, Change, append_change
from gateway.storage.open_storage import create_database
from gateway.storage.upgrade import upgrade_schema


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with two entries."""
    path = tmp_path / "lockgate.db"
    monkeypatch.setenv("LOCKGATE_DATABASE_URL", f"sqlite:///{path}")
    database = create_database(Settings(database_url=f"sqlite:///{path}"))
    database.write_now(upgrade_schema)
    for subject, reason in (("bff", "new frontend"), ("jobs", "")):
        change = Change("jane", "client.add", subject, reason, {"scopes": ["orders:read"]})
        database.write_now(partial(append_change, change=change))
    database.close()
    return path


@pytest.mark.usefixtures("path")
def test_the_changes_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["journal", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[-3:] for line in lines[:2]] == [
        ["SUBJECT", "CHANGE", "REASON"],
        ["bff", "new", "frontend"],
    ]
    assert main(["journal", "list", "--after", "1", "--json"]) == 0
    entry = json.loads(capsys.readouterr().out)
    assert (entry["seq"], entry["actor"], entry["subject"]) == (2, "jane", "jobs")
    assert entry["details"] == {"scopes": ["orders:read"]}


def test_a_change_of_a_limit_is_listed_with_what_it_changes(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = create_database(Settings(database_url=f"sqlite:///{path}"))
    write = partial(
        change_limit,
        policy="pages",
        document='{"rate":"30/minute"}',
        if_version=0,
        author=Author("jane", "incident 7"),
    )
    database.write_now(write)
    database.close()
    assert main(["journal", "list", "--after", "2"]) == 0
    _, line = capsys.readouterr().out.splitlines()
    assert line.endswith("  limit.change  pages    version 1: rate 30/minute  incident 7")
    assert main(["journal", "list", "--after", "2", "--json"]) == 0
    details = json.loads(capsys.readouterr().out)["details"]
    assert details == {"version": 1, "from": None, "to": {"rate": "30/minute"}}


@pytest.mark.usefixtures("path")
def test_a_whole_journal_still_has_an_earlier_head(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["journal", "verify", "--json"]) == 0
    whole = json.loads(capsys.readouterr().out)
    assert whole["entries"] == 2
    assert main(["journal", "verify", "--head", whole["head"]]) == 0
    assert capsys.readouterr().out == f"2 entries are whole; the head is {whole['head']}\n"

    assert main(["journal", "verify", "--head", f"3:{'00' * 32}"]) == 1
    assert "entry 3 is not the one of --head" in capsys.readouterr().err
    assert main(["journal", "verify", "--head", "soon"]) == 2
    assert "--head must be SEQ:HASH" in capsys.readouterr().err


def test_an_altered_entry_is_found(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TRIGGER journal_refuses_update")
        connection.execute("UPDATE journal SET reason = 'nothing' WHERE seq = 1")
    connection.close()
    assert main(["journal", "verify"]) == 1
    error = capsys.readouterr().err
    assert error == (
        "lockgate: the journal is damaged: entry 1 has been changed: it has another hash\n"
    )
