"""docs/how-to/proxy-a-service.md: its routes are valid, and the commands print what it shows."""

import json
import re
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from gateway.cli.main import main
from gateway.proxy import Proxy
from tests.docs.blocks import matches, parse_blocks, parse_files
from tests.docs.project import ROOT

PAGE = ROOT / "docs" / "how-to" / "proxy-a-service.md"
LIMITS = """
from gateway.ratelimit import RateLimit
PAGES = RateLimit("pages", "120/minute")
"""
COMMAND = re.compile(r"\$ (.*)\n")


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package of the page, in the working directory, with a signing key and an issuer."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for module in [name for name in sys.modules if name.partition(".")[0] == "acme"]:
        monkeypatch.delitem(sys.modules, module)
    (settings,) = [block.text for block in parse_blocks(PAGE) if block.language == "toml"]
    files = {
        "acme/__init__.py": "",
        "acme/limits.py": LIMITS,
        "acme/lockgate.toml": settings,
        **parse_files(PAGE),
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    issuers = [{"issuer": "https://idp", "audience": "lockgate", "jwks_url": "https://idp/keys"}]
    monkeypatch.setenv("LOCKGATE_ISSUERS", json.dumps(issuers))
    monkeypatch.setenv("LOCKGATE_APP__PACKAGE", "acme")
    assert main(["signing-keys", "rotate"]) == 0
    assert (tmp_path / "signing.jwks").is_file()


@pytest.mark.usefixtures("package")
def test_the_commands_print_what_the_page_shows(capsys: pytest.CaptureFixture[str]) -> None:
    blocks = [block.text for block in parse_blocks(PAGE) if block.language == "console"]
    assert len(blocks) == 2
    for block in blocks:
        capsys.readouterr()
        (command,) = COMMAND.findall(block)
        assert main(command.split()[1:]) == 0
        assert matches(COMMAND.sub("", block), capsys.readouterr().out), command


@pytest.mark.usefixtures("package")
def test_the_package_is_valid(capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["check"]) == 0, capsys.readouterr().out


def test_the_table_has_every_option() -> None:
    (table,) = re.findall(r"\| Option \|.*?\n\n", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    named = {name for row in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", row[:45])}
    options = {field.name for field in fields(Proxy) if field.kw_only and field.init}
    assert options - named == set()
    for name, default in [("idle_timeout", "300"), ("identity", '`"token"`')]:
        assert re.search(rf"^\| `{name}` \|.*\| {default} \|$", table, re.MULTILINE)
