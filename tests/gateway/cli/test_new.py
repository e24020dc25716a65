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
        (["service"], "name the service: lockgate new service NAME (for a folder of that name, "),
        (["acme", "--service", "x"], "--service is an option of `lockgate new composite NAME`"),
        (["service", "x", "--service", "y"], "--service is an option of `lockgate new composite"),
        (["Ünal"], "got 'ünal'"),
        (["servce", "orders"], "'servce' cannot be added"),
        (["service", "orders"], "this folder is not a project"),
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
        (["service", "user_id"], "'user_id' is reserved"),
        (["composite", "x", "--service", "messages", "--service", "messages"], "named twice"),
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


ENTRY = "[project.entry-points.lockgate]\n"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("[project", "pyproject.toml is not TOML: "),
        ("project = 3", "project.entry-points.lockgate is not a table"),
        ("[project]\nentry-points = 3", "project.entry-points.lockgate is not a table"),
        ("", "[project.entry-points.lockgate] names no package"),
        (ENTRY + "a = 'acme'\nb = 'other'", "names several packages: acme, other"),
        (ENTRY + "a = '../victim'", "got '../victim'"),
        (ENTRY + "a = '/victim'", "got '/victim'"),
        (ENTRY + "a = ''", "got ''"),
        (ENTRY + "a = '..'", "got '..'"),
        (ENTRY + "a = 'acme:app'", "got 'acme:app'"),
        (ENTRY + "a = ['acme']", "got \"['acme']\""),
        (ENTRY + "a = 'nowhere'", "is nowhere, but there is no folder nowhere"),
        (ENTRY + "a = 'linked'", "is linked, but linked leads to "),
    ],
)
def test_a_project_without_a_package_is_explained(
    project: Path, capsys: pytest.CaptureFixture[str], text: str, error: str
) -> None:
    victim = project.parent / "victim"
    victim.mkdir()
    (project / "linked").symlink_to(victim)
    (project / "pyproject.toml").write_text(text)
    assert error in find_error(capsys, "service", "orders")
    assert not list(victim.iterdir())


def test_a_file_that_is_not_utf8_is_explained(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "acme" / "lockgate.toml").write_bytes(b"# \xff")
    assert "acme/lockgate.toml is not text in UTF-8" in find_error(capsys, "service", "orders")
    (project / "pyproject.toml").write_bytes(b"# \xff")
    assert "pyproject.toml is not text in UTF-8" in find_error(capsys, "service", "orders")


def test_a_dotted_package_gets_a_service_and_a_page(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "acme" / "gateway").mkdir(parents=True)
    (folder / "pyproject.toml").write_text(ENTRY + "acme = 'acme.gateway'")
    assert main(["new", "service", "orders"]) == 0
    assert main(["new", "composite", "inbox"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "acme/gateway/clients/orders.py",
        "acme/gateway/fakes/orders.py",
        "acme/gateway/lockgate.toml",
        "tests/clients/test_orders.py",
        "acme/gateway/composites/inbox.py",
        "tests/composites/test_inbox.py",
    ]
    page = (folder / "acme" / "gateway" / "composites" / "inbox.py").read_text()
    assert "from acme.gateway.clients.orders import Order, Orders" in page


def test_a_file_that_cannot_be_written_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "file").write_text("")
    assert main(["new", "file/acme"]) == 1
    assert capsys.readouterr().err.startswith("lockgate: new: file/acme: Not a directory")


def test_a_service_that_is_added_without_ruff_is_still_there(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (project / "pyproject.toml").open("a") as file:
        file.write("[tool.ruff.nothing]\n")
    assert main(["new", "service", "orders"]) == 0
    captured = capsys.readouterr()
    assert "acme/clients/orders.py" in captured.out
    assert captured.err.endswith(
        "lockgate: new: the files are written, but ruff cannot format them\n"
    )
