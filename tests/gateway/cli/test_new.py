"""`lockgate new`: what it prints, and its errors."""

import json
from pathlib import Path

import pytest

from gateway.cli.main import main

pytestmark = pytest.mark.usefixtures("folder")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, which is empty."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def project(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Path:
    """The current folder, which is a new project."""
    assert main(["new", "acme"]) == 0
    monkeypatch.chdir(folder / "acme")
    capsys.readouterr()
    return folder / "acme"


def find_error(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["new", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err


def test_it_prints_the_files_and_the_next_step(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "acme"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "acme/acme/clients/messages.py" in lines
    assert lines[-1] == "Next: cd acme && make check test run"


def test_it_prints_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "acme", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["folder"] == "acme"
    assert all((Path("acme") / name).is_file() for name in printed["files"])


def test_a_service_and_a_composite_are_added(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["new", "service", "orders"]) == 0
    assert (
        main(["new", "composite", "overview", "--service", "orders", "--service", "messages"]) == 0
    )
    assert capsys.readouterr().out.splitlines() == [
        "acme/clients/orders.py",
        "acme/fakes/orders.py",
        "acme/lockgate.toml",
        "tests/clients/test_orders.py",
        "acme/composites/overview.py",
        "tests/composites/test_overview.py",
    ]
    assert "[upstreams.orders]" in (project / "acme" / "lockgate.toml").read_text()


def test_a_composite_takes_the_first_service_by_default(project: Path) -> None:
    assert main(["new", "composite", "notes"]) == 0
    assert "messages.for_user" in (project / "acme" / "composites" / "notes.py").read_text()


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["1st"], "got '1st'"),
        (["json"], "already is a Python module called json"),
        (["service"], "name the service: lockgate new service NAME"),
        (["servce", "orders"], "'servce' cannot be added"),
        (["service", "orders"], "this folder is no project"),
    ],
)
def test_a_mistake_is_explained(
    capsys: pytest.CaptureFixture[str], arguments: list[str], error: str
) -> None:
    assert error in find_error(capsys, *arguments)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["service", "messages"], "clients/messages.py exists"),
        (["service", "Orders"], "got 'Orders'"),
        (["composite", "inbox"], "composites/inbox.py exists"),
        (["composite", "x", "--service", "orders"], "there is no acme/clients/orders.py; services"),
    ],
)
def test_a_mistake_in_a_project_is_explained(
    project: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], error: str
) -> None:
    assert error in find_error(capsys, *arguments)


def test_a_project_without_services_is_explained(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "acme" / "clients" / "messages.py").unlink()
    assert "the package has no service" in find_error(capsys, "composite", "x")
