"""`lockgate key-file`: creates and rotates the file, and prints no key."""

import json
from pathlib import Path

import pytest

from gateway.cli.main import main
from gateway.identity.key_encryption import read_key_file
from tests.gateway.cli.stored_keys import configure_database


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A settings file with a database; the key file does not exist yet."""
    return configure_database(tmp_path)


def run(config: Path, *arguments: str) -> int:
    return main(["key-file", *arguments, "--config", str(config)])


def list_ids(path: Path) -> list[str]:
    return [key.key_id for key in read_key_file(path).keys]


def test_the_file_is_created_once(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "keys.jwks"
    assert run(config, "create") == 0
    [key_id] = list_ids(file)
    printed = capsys.readouterr().out
    assert printed == f"{file} has the new key {key_id}. Back it up apart from the database.\n"
    assert run(config, "create") == 1
    error = f"{file}: exists and is kept; `lockgate key-file rotate` adds a key to it"
    assert capsys.readouterr().err == f"lockgate: {error}\n"
    other = tmp_path / "other.jwks"
    assert main(["key-file", "create", "--file", str(other), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"file": str(other), "key": list_ids(other)[0]}


def test_a_rotation_says_what_it_has_done(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "keys.jwks"
    run(config, "create")
    [first] = list_ids(file)
    assert main(["signing-keys", "rotate", "--config", str(config), "--json"]) == 0
    capsys.readouterr()
    assert run(config, "rotate", "--reason", "yearly") == 0
    second = list_ids(file)[0]
    assert capsys.readouterr().out.splitlines() == [
        f"{file} has the new key {second}, which encrypts from now on.",
        "In the database, 1 signing key is encrypted with it.",
        f"For backups, the file still has {first}.",
    ]
    assert run(config, "rotate", "--json") == 0
    rotated = json.loads(capsys.readouterr().out)
    assert (rotated["kept"], rotated["removed"]) == ([second], [first])
    assert list_ids(file) == [rotated["key"], second]
    assert main(["signing-keys", "list", "--config", str(config), "--json"]) == 0
    assert [key["kid"] for key in json.loads(capsys.readouterr().out)] == rotated["signing_keys"]
    assert main(["journal", "list", "--config", str(config)]) == 0
    assert "signing_key.encrypt" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no such file"),
        ("{}", "must be a JWK Set of 1 to 16 keys"),
    ],
)
def test_a_file_that_cannot_be_rotated_is_named(
    config: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    content: str | None,
    message: str,
) -> None:
    file = tmp_path / "keys.jwks"
    if content is not None:
        file.write_text(content)
        file.chmod(0o600)
    assert run(config, "rotate") == 1
    assert capsys.readouterr().err == f"lockgate: {file}: {message}\n"


def test_a_folder_that_does_not_exist_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "none" / "keys"
    assert main(["key-file", "create", "--file", str(missing)]) == 1
    reason = "cannot be written: No such file or directory"
    assert capsys.readouterr().err == f"lockgate: {missing}: {reason}\n"


def test_settings_without_the_file_are_invalid(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "lockgate.toml"
    config.write_text('[identity]\nissuer = "https://gateway.test"\n')
    assert run(config, "rotate") == 2
    assert capsys.readouterr().err == (
        "lockgate: identity.key_file: is required to know the file"
        " (set LOCKGATE_IDENTITY__KEY_FILE)\n"
    )
