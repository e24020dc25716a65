"""A new project: its files, and what is never overwritten."""

import tomllib
from pathlib import Path

import pytest

from gateway.scaffold.additions import plan_service
from gateway.scaffold.names import InvalidName
from gateway.scaffold.project import PathTaken, add_to_project, create_project


def test_a_project_has_the_package_its_tests_and_its_tools(tmp_path: Path) -> None:
    folder = tmp_path / "acme-gateway"
    written = create_project(folder)
    assert written == sorted(
        file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()
    )
    assert {"Dockerfile", "Makefile", ".gitignore", ".dockerignore", "README.md"} <= set(written)
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


def test_an_addition_never_replaces_a_file_of_the_company(tmp_path: Path) -> None:
    create_project(tmp_path / "acme")
    client = tmp_path / "acme" / "acme" / "clients" / "messages.py"
    client.write_text("mine")
    settings = (tmp_path / "acme" / "acme" / "lockgate.toml").read_text()
    with pytest.raises(PathTaken, match=r"clients/messages\.py exists"):
        add_to_project(tmp_path / "acme", plan_service("acme", "messages", settings=settings))
    assert client.read_text() == "mine"
    assert (tmp_path / "acme" / "acme" / "lockgate.toml").read_text() == settings
