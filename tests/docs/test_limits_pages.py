"""Every command of the pages about limits that operators tune is run against a gateway."""

import os
import shlex
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.cli.main import main
from tests.databases import create_file
from tests.docs.blocks import matches, parse_blocks
from tests.docs.project import ROOT
from tests.e2e.serve_process import run_serve_with
from tests.gateway.cli.limits.conftest import Input
from tests.running_demo import send_request
from tests.tunable_gateway import build_environment, issue_operator_token, issue_token

PAGES = [
    ROOT / "docs" / "how-to" / f"{name}.md"
    for name in (
        "tune-a-limit-in-an-incident",
        "introduce-a-limit-through-shadow",
        "give-one-customer-more",
    )
]
REQUESTS = 25


@pytest.fixture
def ops_url(tmp_path: Path) -> Iterator[str]:
    """The ops app of a gateway, to which a user has sent requests."""
    environment = build_environment(tmp_path, create_file(tmp_path))
    with run_serve_with(environment, tmp_path / "log") as process:
        headers = {"Authorization": f"Bearer {issue_token('42')}"}
        for path in ("/dashboard", "/search") * REQUESTS:
            response = send_request("GET", process.url + path, headers=headers)
            assert response.status_code == 200, response.text
        yield process.ops_url


def iter_commands(script: str) -> Iterator[list[str]]:
    """Yield the arguments of each `lockgate` in a script that has nothing else but `export`."""
    for line in script.splitlines():
        program, *arguments = shlex.split(line, comments=True)
        if program != "export":
            assert program == "lockgate", line
            yield arguments


def test_the_commands_of_the_pages_work(
    ops_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In this order: the output on the first page is that of a policy that was never changed."""
    for name, value in build_environment(tmp_path, "sqlite:///unused.db").items():
        monkeypatch.setitem(os.environ, name, value)
    monkeypatch.setenv("LOCKGATE_OPS_URL", ops_url)
    monkeypatch.setenv("LOCKGATE_OPS_TOKEN", issue_operator_token())
    monkeypatch.chdir(tmp_path)
    counts, output = Counter[str](), ""
    for page, block in [(it, block) for it in PAGES for block in parse_blocks(it)]:
        if block.language == "text":
            assert matches(block.text, output), output
        for arguments in iter_commands(block.text) if block.language == "sh" else ():
            monkeypatch.setattr(sys, "stdin", Input("y\n", is_terminal=True))
            is_endless = "watch" in arguments and "--count" not in arguments
            status = main([*arguments, "--count", "1"] if is_endless else arguments)
            output, errors = capsys.readouterr()
            assert status == 0, f"{page.stem}: {arguments}: {errors}"
            counts[page.stem] += 1
    assert list(counts.values()) == [13, 12, 6]
