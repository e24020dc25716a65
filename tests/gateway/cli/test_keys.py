"""`lockgate keys`: the secret is shown once, and stored nowhere."""

import json
import re
from pathlib import Path

import pytest

from gateway.cli.main import main
from tests.databases import create_file


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOCKGATE_DATABASE_URL", create_file(tmp_path))
    return tmp_path


def test_a_key_is_shown_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "add", "export", "--scope", "a", "--scope", "b", "--scope", "a"]) == 0
    printed = capsys.readouterr().out
    match = re.fullmatch(
        r"(lk_[\w-]{43})\nThis is the key (\w{12}) of export\. It is shown only now\.\n", printed
    )
    assert match
    key, key_id = match.groups()
    assert main(["keys", "list"]) == 0
    head, row = capsys.readouterr().out.splitlines()
    assert head.split() == ["ID", "NAME", "SCOPES", "EXPIRES", "LAST", "USED", "STATE"]
    assert row.split()[:4] == [key_id, "export", "a", "b"]
    assert row.split()[-1] == "active"
    assert main(["journal", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["action"] == "key.add"
    assert key.encode() not in (folder / "lockgate.db").read_bytes()


def test_a_key_is_revoked_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["keys", "add", "export", "--scope", "a", "--json"])
    key_id = json.loads(capsys.readouterr().out)["id"]
    assert main(["keys", "revoke", key_id, "--reason", "leaked"]) == 0
    assert capsys.readouterr().out == f"the key {key_id} is revoked\n"
    assert main(["keys", "revoke", key_id]) == 0
    assert capsys.readouterr().out == f"the key {key_id} was revoked already\n"
    assert main(["journal", "verify", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["entries"] == 3
    assert main(["keys", "list"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[-1] == "revoked"


@pytest.mark.usefixtures("folder")
def test_an_unknown_id(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "revoke", "none"]) == 1
    assert "there is no key 'none'; `lockgate keys list`" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a b", "--scope", "a"], "'a b' must be 1 to 64 letters"),
        (["a", "--scope", "a b"], "'a b' must be one scope"),
        (["a", "--scope", "a", "--days", "0"], "'0' must be a number of days, 1 to 3650"),
        (["a"], "the following arguments are required: --scope"),
    ],
)
def test_arguments_are_checked(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    with pytest.raises(SystemExit):
        main(["keys", "add", *arguments])
    assert message in capsys.readouterr().err
