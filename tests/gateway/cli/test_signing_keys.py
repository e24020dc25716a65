"""`lockgate signing-keys`: rotates and lists keys, and prints no private part."""

import json
import re
from pathlib import Path

import pytest

from gateway.cli.main import main
from gateway.identity.encryption_rotation import create_key_file
from gateway.identity.key_encryption import generate_encryption_key, serialize_keys
from gateway.identity.signing_key_file import read_signing_keys
from tests.gateway.cli.stored_keys import configure_database


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "signing.jwks"


def test_rotate_creates_the_file_and_list_shows_the_times(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["signing-keys", "rotate", "--file", str(file)]) == 0
    capsys.readouterr()
    assert main(["signing-keys", "rotate", "--file", str(file), "--algorithm", "EdDSA"]) == 0
    printed = capsys.readouterr().out
    assert main(["signing-keys", "list", "--file", str(file)]) == 0
    assert capsys.readouterr().out == printed
    head, first, second = printed.splitlines()
    assert head.split("  ")[0] == "KEY"
    time = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
    assert re.fullmatch(rf"\S{{43}}  ES256 +{time}  {time}  {time}", first)
    assert re.fullmatch(rf"\S{{43}}  EdDSA +{time}  - +-", second)
    assert file.stat().st_mode & 0o777 == 0o600


def test_the_keys_in_json_have_no_private_part(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["signing-keys", "rotate", "--file", str(file), "--json"]) == 0
    assert main(["signing-keys", "list", "--file", str(file), "--json"]) == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert first == second
    (key,) = first
    assert set(key) == {
        "kid", "algorithm", "created_at", "signs_from", "signs_until", "published_until"
    }  # fmt: skip
    assert key["kid"] == read_signing_keys(file).ids[0]
    assert key["signs_until"] is None


@pytest.mark.parametrize("action", ["rotate", "list"])
def test_a_file_that_cannot_be_used_is_named(
    file: Path, capsys: pytest.CaptureFixture[str], action: str
) -> None:
    file.write_text("garbage")
    file.chmod(0o600)
    assert main(["signing-keys", action, "--file", str(file)]) == 1
    assert capsys.readouterr().err == f"lockgate: {file}: is not JSON\n"


def test_a_folder_that_does_not_exist_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "none" / "keys"
    assert main(["signing-keys", "rotate", "--file", str(missing)]) == 1
    reason = "cannot be written: No such file or directory"
    assert capsys.readouterr().err == f"lockgate: {missing}: {reason}\n"


def test_without_a_file_the_settings_name_it(
    tmp_path: Path, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "lockgate.toml"
    named = f'issuer = "https://gateway.test"\nsigning_key_file = "{file}"'
    config.write_text(f"[identity]\n{named}\n")
    assert main(["signing-keys", "rotate", "--config", str(config)]) == 0
    created = capsys.readouterr().out
    assert main(["signing-keys", "list", "--config", str(config)]) == 0
    assert capsys.readouterr().out == created
    other = tmp_path / "other.jwks"
    assert main(["signing-keys", "rotate", "--config", str(config), "--file", str(other)]) == 0
    assert read_signing_keys(other).ids != read_signing_keys(file).ids


@pytest.mark.parametrize("action", ["rotate", "list"])
def test_settings_without_the_file_are_invalid(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], action: str
) -> None:
    config = tmp_path / "lockgate.toml"
    config.write_text('[identity]\nissuer = "https://gateway.test"\n')
    assert main(["signing-keys", action, "--config", str(config)]) == 2
    assert capsys.readouterr().err == (
        "lockgate: identity.signing_key_file: is required to know the file of the keys"
        " (set LOCKGATE_IDENTITY__SIGNING_KEY_FILE, or pass --file FILE;"
        " or for keys in the database, set LOCKGATE_IDENTITY__KEY_FILE)\n"
    )


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A settings file with a database and a key file."""
    create_key_file(tmp_path / "keys.jwks")
    return configure_database(tmp_path)


def run(config: Path, *arguments: str) -> int:
    return main(["signing-keys", *arguments, "--config", str(config)])


def list_keys(config: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    capsys.readouterr()
    assert run(config, "list", "--json") == 0
    return [key["kid"] for key in json.loads(capsys.readouterr().out)]


def test_the_keys_in_the_database_are_rotated_with_a_reason(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(config, "list") == 1
    message = "the database has no keys yet; `lockgate serve` makes the first one"
    assert capsys.readouterr().err == f"lockgate: {message}\n"
    assert run(config, "rotate", "--reason", "first") == 0
    assert run(config, "rotate", "--reason", "yearly", "--actor", "jane") == 0
    printed = capsys.readouterr().out.splitlines()
    assert run(config, "list") == 0
    assert capsys.readouterr().out.splitlines() == printed[-3:]
    ids = list_keys(config, capsys)
    assert main(["journal", "list", "--json", "--config", str(config)]) == 0
    entries = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(entry["action"], entry["subject"], entry["reason"]) for entry in entries] == [
        ("signing_key.add", ids[0], "first"),
        ("signing_key.add", ids[1], "yearly"),
    ]
    assert entries[1]["actor"] == "jane"


def test_stolen_keys_are_dropped(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(config, "rotate")
    former = list_keys(config, capsys)
    assert run(config, "rotate", "--drop-former", "--reason", "stolen") == 0
    [new] = list_keys(config, capsys)
    assert new not in former
    assert main(["journal", "list", "--config", str(config)]) == 0
    assert re.search(rf"signing_key\.remove +{former[0]} +stolen", capsys.readouterr().out)


def test_keys_of_a_lost_key_file_can_only_be_dropped(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(config, "rotate")
    (tmp_path / "keys.jwks").write_bytes(serialize_keys([generate_encryption_key()]))
    for action, words in (("list", "cannot be read"), ("rotate", "are as they were")):
        capsys.readouterr()
        assert run(config, action) == 1
        error = capsys.readouterr().err
        assert error.startswith(f"lockgate: the keys {words}: the signing key ")
        assert error.endswith(", which the key file lacks\n")
    assert run(config, "rotate", "--drop-former") == 0
    assert len(list_keys(config, capsys)) == 1


@pytest.mark.parametrize("action", ["rotate", "list"])
def test_without_the_key_file_nothing_is_done(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], action: str
) -> None:
    (tmp_path / "keys.jwks").unlink()
    assert run(config, action) == 1
    assert capsys.readouterr().err == f"lockgate: {tmp_path}/keys.jwks: there is no such file\n"


def test_keys_in_a_file_are_dropped_with_the_file(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["signing-keys", "rotate", "--file", str(file), "--drop-former"]) == 1
    message = f"--drop-former is for keys in the database; delete {file} instead"
    assert capsys.readouterr().err == f"lockgate: {message}\n"
