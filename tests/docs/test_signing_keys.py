"""The commands of signing-keys.md work, and its times are those of the code."""

import shlex
from pathlib import Path

import pytest

from gateway.cli.main import main
from gateway.identity.key_timetable import RETIREMENT, SIGNING_DELAY
from gateway.settings.schema import MAX_TOKEN_SECONDS, Settings
from gateway.storage.open_storage import create_database
from gateway.storage.upgrade import upgrade_schema
from tests.docs.blocks import parse_blocks
from tests.docs.project import ROOT

PAGE = ROOT / "docs/how-to/signing-keys.md"


def test_the_commands_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = list(parse_blocks(PAGE))
    [settings] = [block.text for block in blocks if block.language == "toml"]
    url = f"sqlite:///{tmp_path}/lockgate.db"
    database = create_database(Settings(database_url=url))
    database.write_now(upgrade_schema)
    database.close()
    settings = settings.replace("postgresql://lockgate@db.internal:5432/lockgate", url)
    config, keys = tmp_path / "lockgate.toml", tmp_path / "keys.jwks"
    config.write_text(settings.replace("/etc/lockgate/keys.jwks", str(keys)))
    monkeypatch.setenv("LOCKGATE_CONFIG", str(config))
    sections = list[str]()
    for block in blocks:
        if block.language != "sh":
            continue
        sections.append(block.section)
        if block.section == "What to back up":
            keys.unlink()
        for line in block.text.splitlines():
            program, *arguments = shlex.split(line.replace("/etc/lockgate/keys.jwks", str(keys)))
            assert program == "lockgate"
            assert main(arguments) == 0, line
    assert sections == [
        "Set it up",
        "Rotate the signing keys",
        "Rotate the key of the key file",
        "What to back up",
    ]


def test_the_page_has_the_times_of_the_code() -> None:
    text = " ".join(PAGE.read_text().split())
    assert f"signs {SIGNING_DELAY // 60} minutes later" in text
    assert f"published for {RETIREMENT // 60} more minutes" in text
    assert MAX_TOKEN_SECONDS == 3_600
    assert "an access token lives for an hour at most" in text
