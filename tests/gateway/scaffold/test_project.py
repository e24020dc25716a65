"""A new project: its files, and what is never overwritten."""

import shutil
import tomllib
from pathlib import Path

import pytest

from gateway.scaffold.additions import Addition, plan_service
from gateway.scaffold.names import InvalidName
from gateway.scaffold.project import PathTaken, add_to_project, create_project, format_code


def test_a_project_has_the_package_its_tests_and_its_tools(tmp_path: Path) -> None:
    folder = tmp_path / "acme-gateway"
    written = create_project(folder)
    assert written == sorted(
        file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()
    )
    assert {"Dockerfile", "Makefile", ".gitignore", ".dockerignore", "README.md"} <= set(written)
    for name in (".gitignore", ".dockerignore"):  # the file that `signing-keys rotate` writes
        assert any(line.endswith("*.jwks") for line in (folder / name).read_text().splitlines())
    assert "acme_gateway/clients/messages.py" in written
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["lockgate"] == {"acme_gateway": "acme_gateway"}
    settings = tomllib.loads((folder / "acme_gateway" / "lockgate.toml").read_text())
    assert list(settings["upstreams"]) == ["messages"]
    assert not [name for name in written if "{{" in (folder / name).read_text()]


def test_an_empty_folder_is_used_and_any_other_is_left_alone(tmp_path: Path) -> None:
    create_project(tmp_path / "one")
    (tmp_path / "two").mkdir()
    create_project(tmp_path / "two")
    with pytest.raises(PathTaken, match="one exists and is not an empty folder"):
        create_project(tmp_path / "one")
    (tmp_path / "three").write_text("mine")
    with pytest.raises(PathTaken):
        create_project(tmp_path / "three")
    assert (tmp_path / "three").read_text() == "mine"


def test_an_invalid_name_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(InvalidName):
        create_project(tmp_path / "1st")
    assert not list(tmp_path.iterdir())


def test_the_name_of_a_project_is_normalized(tmp_path: Path) -> None:
    folder = tmp_path / "Acme Gateway"
    create_project(folder)
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    assert project["name"] == "acme-gateway"
    assert "IMAGE ?= acme-gateway\n" in (folder / "Makefile").read_text()


def list_all(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def plan_orders(folder: Path) -> Addition:
    settings = (folder / "acme" / "lockgate.toml").read_text()
    return plan_service("acme", "orders", settings=settings)


@pytest.mark.parametrize(
    ("obstacle", "error"),
    [
        ("tests/clients", "tests/clients is not a folder"),
        ("acme/fakes/orders.py", "acme/fakes/orders.py exists"),
    ],
)
def test_a_file_in_the_way_of_one_file_prevents_all(
    tmp_path: Path, obstacle: str, error: str
) -> None:
    create_project(tmp_path / "acme")
    addition = plan_orders(tmp_path / "acme")
    path = tmp_path / "acme" / obstacle
    if path.is_dir():
        shutil.rmtree(path)
    path.write_text("mine")
    before = list_all(tmp_path)
    with pytest.raises(PathTaken, match=error):
        add_to_project(tmp_path / "acme", addition)
    assert list_all(tmp_path) == before


@pytest.mark.parametrize("link", ["acme/clients", "acme/fakes/orders.py", "acme/lockgate.toml"])
def test_nothing_is_written_through_a_link_out_of_the_folder(tmp_path: Path, link: str) -> None:
    create_project(tmp_path / "acme")
    addition = plan_orders(tmp_path / "acme")
    victim, path = tmp_path / "victim", tmp_path / "acme" / link
    if path.is_dir():
        victim.mkdir()
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    path.symlink_to(victim)
    before = list_all(tmp_path)
    with pytest.raises(PathTaken, match=r"leads out of the folder|exists"):
        add_to_project(tmp_path / "acme", addition)
    assert list_all(tmp_path) == before


@pytest.mark.parametrize("failing", range(4))
def test_a_write_that_fails_leaves_the_folder_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    create_project(tmp_path / "acme")
    shutil.rmtree(tmp_path / "acme" / "tests")
    addition = plan_orders(tmp_path / "acme")
    before, texts = list_all(tmp_path), read_all(tmp_path)
    write, written = Path.write_text, list[Path]()

    def write_some(path: Path, text: str, encoding: str) -> int:
        written.append(path)
        if len(written) > failing:
            write(path, text[:10], encoding=encoding)
            raise OSError(28, "No space left on device", str(path))
        return write(path, text, encoding=encoding)

    monkeypatch.setattr(Path, "write_text", write_some)
    with pytest.raises(OSError, match="No space left"):
        add_to_project(tmp_path / "acme", addition)
    assert len(written) == failing + 1
    assert (list_all(tmp_path), read_all(tmp_path)) == (before, texts)


def read_all(folder: Path) -> dict[Path, str]:
    return {path: path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_ruff_is_not_imported_from_the_folder(tmp_path: Path) -> None:
    written = create_project(tmp_path / "acme")
    (tmp_path / "acme" / "ruff").mkdir()
    (tmp_path / "acme" / "ruff" / "__main__.py").write_text("open('victim', 'w')")
    (tmp_path / "acme" / "ruff.py").write_text("open('victim', 'w')")
    assert format_code(tmp_path / "acme", written)
    assert not (tmp_path / "acme" / "victim").exists()


def test_a_ruff_that_fails_is_reported(tmp_path: Path) -> None:
    written = create_project(tmp_path / "acme")
    with (tmp_path / "acme" / "pyproject.toml").open("a") as file:
        file.write("[tool.ruff.nothing]\n")
    assert not format_code(tmp_path / "acme", written)


def test_an_addition_never_replaces_a_file_of_the_company(tmp_path: Path) -> None:
    create_project(tmp_path / "acme")
    client = tmp_path / "acme" / "acme" / "clients" / "messages.py"
    client.write_text("mine")
    settings = (tmp_path / "acme" / "acme" / "lockgate.toml").read_text()
    with pytest.raises(PathTaken, match=r"clients/messages\.py exists"):
        add_to_project(tmp_path / "acme", plan_service("acme", "messages", settings=settings))
    assert client.read_text() == "mine"
    assert (tmp_path / "acme" / "acme" / "lockgate.toml").read_text() == settings
