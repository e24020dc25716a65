"""`lockgate demo` for a package with a base path in an address, and for one with a broken fake."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.cli.main import main
from gateway.scaffold.project import create_project
from tests.docs.project import run_python
from tests.running_demo import FAST, run_demo, send_request


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """The folder of a new project whose package is `parlor`."""
    create_project(tmp_path / "parlor")
    yield tmp_path / "parlor"
    for name in [name for name in sys.modules if name.partition(".")[0] == "parlor"]:
        del sys.modules[name]


def test_a_fake_needs_no_base_path(folder: Path) -> None:
    settings = folder / "parlor" / "lockgate.toml"
    settings.write_text(settings.read_text().replace(":9201", ":9201/api/v2"))
    variables = FAST | {"LOCKGATE_APP__PACKAGE": "parlor", "LOCKGATE_DEMO__USER": "7"}
    variables["LOCKGATE_DEMO__PATH"] = "/inbox/7"
    for demo in run_demo(variables, folder):
        assert demo.services == ["messages"]
        assert demo.curl.endswith(f"{demo.url}/inbox/7")
        headers = {"Authorization": f"Bearer {demo.token}"}
        page = send_request("GET", f"{demo.url}/inbox/7", headers=headers)
    assert page.json()["degraded"] == []
    assert page.json()["messages"][0]["name"] == "1 of user 7"
    done = run_python(folder, "-m", "pytest", "-q", "tests")
    assert done.returncode == 0, done.stdout


def test_a_real_service_is_called_at_its_address(folder: Path) -> None:
    arguments = ("--real", "messages")
    variables = FAST | {"LOCKGATE_APP__PACKAGE": "parlor", "LOCKGATE_SERVER__DOCS": "false"}
    for demo in run_demo(variables, folder, *arguments):
        assert demo.services == []
        assert f"Lockgate is up on {demo.url}. Paste this:" in demo.output
        assert "Without a fake, at their real addresses: messages\n" in demo.output


def test_the_demo_names_the_settings_that_it_replaces(folder: Path) -> None:
    variables = FAST | {
        "LOCKGATE_APP__PACKAGE": "parlor",
        "LOCKGATE_SERVER__HOST": "127.0.0.1",
        "LOCKGATE_SERVER__ALLOWED_HOSTS": '["api.example.com"]',
        "LOCKGATE_SERVER__TRUSTED_PROXIES": '["10.0.0.0/8"]',
        "LOCKGATE_DATABASE_URL": f"sqlite:///{folder}/real.db",
        "LOCKGATE_ISSUERS": '[{"issuer": "https://idp", "audience": "a", "jwks_url": "https://b"}]',
    }
    for demo in run_demo(variables, folder):
        replaced = "server.allowed_hosts, database_url, issuers"
        assert f"The demo replaces these settings with its own: {replaced}\n" in demo.output
    assert not Path(folder, "real.db").exists()


def test_the_demo_prints_commands_that_work_as_pasted(folder: Path) -> None:
    arguments = ("--config", "parlor/lockgate.toml")
    for demo in run_demo(FAST | {"LOCKGATE_APP__PACKAGE": "parlor"}, folder, *arguments):
        (command,) = re.findall(
            r"^`(.* routes --config .*)` lists the routes", demo.output, re.MULTILINE
        )
        environment = {**os.environ, "LOCKGATE_APP__PACKAGE": "parlor", "PYTHONPATH": str(folder)}
        printed = subprocess.run(
            command, shell=True, cwd=folder, env=environment,
            capture_output=True, text=True, timeout=120, check=True,
        ).stdout  # fmt: skip
    assert "/inbox/{user_id}" in printed


def test_an_unknown_real_service_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--real", "ordres"]) == 2
    assert capsys.readouterr().err == (
        "lockgate: --real: no such service: ordres (did you mean orders?)\n"
    )


def test_a_service_without_a_fake_keeps_its_address(folder: Path) -> None:
    (folder / "parlor" / "fakes" / "messages.py").rename(folder / "parlor" / "fakes" / "other.py")
    for demo in run_demo(FAST | {"LOCKGATE_APP__PACKAGE": "parlor"}, folder):
        assert demo.services == []
        headers = {"Authorization": f"Bearer {demo.token}"}
        page = send_request("GET", f"{demo.url}/inbox/42", headers=headers)
    assert page.json()["service"] == "messages"
    assert "Without a fake, at their real addresses: messages\n" in demo.output


def test_a_broken_fake_is_reported_with_its_file_and_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake = folder / "parlor" / "fakes" / "messages.py"
    fake.write_text("\n1 / 0\n")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("LOCKGATE_APP__PACKAGE", "parlor")
    assert main(["demo", "--any-ports"]) == 2
    assert capsys.readouterr().err == (
        "lockgate: parlor.fakes.messages: cannot be imported: ZeroDivisionError: division by zero "
        f"({fake}, line 2)\n"
    )


def test_a_fake_that_fails_only_in_the_child_is_reported(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    fake = folder / "parlor" / "fakes" / "messages.py"
    fake.write_text(f"import os\nif os.getpid() != {os.getpid()}:\n    os._exit(3)\napp = print\n")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.setenv("LOCKGATE_APP__PACKAGE", "parlor")
    assert main(["demo", "--any-ports"]) == 1
    assert "the process of the fake services ended while it started" in capfd.readouterr().err
