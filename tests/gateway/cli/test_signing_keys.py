"""`lockgate signing-keys`: rotates and lists keys, and prints no private part."""

import json
import re
from pathlib import Path

import pytest

from gateway.cli.main import main
from gateway.identity.signing_key_file import read_signing_keys


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
        " (set LOCKGATE_IDENTITY__SIGNING_KEY_FILE, or pass --file FILE)\n"
    )
