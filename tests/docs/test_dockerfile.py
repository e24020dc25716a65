"""The image, as far as can be told without an engine: its stages, its locks, its user."""

import asyncio
import json
import re
import subprocess
import sys
import tomllib
from collections import deque
from collections.abc import Iterator
from fnmatch import fnmatch
from importlib.metadata import requires
from pathlib import Path
from zipfile import ZipFile

from gateway.cli.main import parser
from gateway.server.lifecycle import open_server
from gateway.settings.schema import Server
from tests.docs.pages.defaults import default_app
from tests.docs.project import ROOT, bare_environment

DOCKERFILE = (ROOT / "Dockerfile").read_text()


def instructions() -> list[tuple[str, str]]:
    """Each instruction with its arguments, continuation lines joined, comments left out."""
    lines = [line for line in DOCKERFILE.splitlines() if line and not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in joined.splitlines()]


def stages() -> list[list[tuple[str, str]]]:
    found: list[list[tuple[str, str]]] = []
    for name, rest in instructions():
        if name == "FROM":
            found.append([])
        found[-1].append((name, rest))
    return found


BUILD, RUN = stages()


def given(stage: list[tuple[str, str]], name: str) -> list[str]:
    return [rest for instruction, rest in stage if instruction == name]


def test_both_stages_run_the_same_pinned_python() -> None:
    bases = {rest.split()[0] for rest in given(BUILD, "FROM") + given(RUN, "FROM")}
    assert len(bases) == 1
    assert re.fullmatch(r"python:3\.\d+-slim", bases.pop())


def copied() -> Iterator[str]:
    for rest in given(BUILD, "COPY"):
        yield from rest.split()[:-1]


def test_what_is_copied_exists_and_reaches_the_engine() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    let_through = {line[1:] for line in ignored if line.startswith("!")}
    assert "*" in ignored
    assert set(copied()) == let_through
    assert all((ROOT / name).exists() for name in copied())


def test_every_package_of_the_wheel_is_copied() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert set(packages) <= set(copied())
    assert project["project"]["readme"] in copied()


def test_what_is_installed_comes_from_the_lock_with_its_hashes() -> None:
    steps = " && ".join(given(BUILD, "RUN"))
    installs = re.findall(r"install (.*?)(?: && |$)", steps)
    assert installs == [
        "--require-hashes --requirement requirements.lock",
        "--require-hashes --requirement build.lock",
        "--no-deps --no-index dist/*.whl",
    ]


def test_the_build_lock_holds_all_that_hatchling_needs(tmp_path: Path) -> None:
    (program,) = re.findall(r"awk '(.*?)'", DOCKERFILE)
    lock = subprocess.run(
        ["awk", program, ROOT / "requirements-dev.lock"],
        capture_output=True, text=True, check=True, cwd=tmp_path,
    ).stdout  # fmt: skip
    assert set(re.findall(r"^([\w-]+)==", lock, re.MULTILINE)) == _closure("hatchling")
    assert lock.count("--hash=") >= len(_closure("hatchling"))


def _closure(package: str) -> set[str]:
    """A package and all that it needs, on the Python of the image."""
    found, due = set[str](), deque([package])
    while due:
        name = due.popleft()
        if name not in found:
            found.add(name)
            needed = [r for r in requires(name) or () if "extra" not in r and "< '3" not in r]
            due += [re.split(r"[\s<>=!~;\[(]", r)[0] for r in needed if "python_version <" not in r]
    return found


def test_the_wheel_holds_the_framework_alone(tmp_path: Path) -> None:
    for name in copied():
        (tmp_path / name).symlink_to(ROOT / name)
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel"],
        cwd=tmp_path, env=bare_environment(), check=True, capture_output=True,
    )  # fmt: skip
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    with ZipFile(wheel) as archive:
        names = archive.namelist()
        (entry,) = [name for name in names if name.endswith("entry_points.txt")]
        assert "lockgate = gateway.cli.main:main" in archive.read(entry).decode()
    assert "gateway/ratelimit/redis/count.lua" in names
    assert {name.partition("/")[0] for name in names} == {"gateway", entry.partition("/")[0]}
    assert not [name for name in names if name.startswith("gateway/composites")]


def test_it_runs_as_nobody_in_particular_and_brings_no_tools() -> None:
    assert given(RUN, "COPY") == ["--from=build /opt/lockgate /opt/lockgate"]
    (user,) = given(RUN, "USER")
    uid = user.split(":")[0]
    assert uid.isdigit()
    assert f"useradd --uid {uid} " in given(RUN, "RUN")[0]
    assert not fnmatch(" ".join(given(RUN, "RUN")), "*install*")
    names = [name for name, _ in RUN]
    assert names.index("USER") < names.index("ENTRYPOINT")


def test_it_starts_the_gateway_and_stops_by_sigterm() -> None:
    assert json.loads(given(RUN, "ENTRYPOINT")[0]) == ["lockgate"]
    assert callable(parser().parse_args(json.loads(given(RUN, "CMD")[0])).run)
    assert given(RUN, "STOPSIGNAL") == ["SIGTERM"]
    assert "PYTHONDONTWRITEBYTECODE=1" in given(RUN, "ENV")[0]


async def test_the_health_check_tells_a_living_gateway_from_a_dead_one() -> None:
    (check,) = given(RUN, "HEALTHCHECK")
    interpreter, option, program = json.loads(check.partition("CMD ")[2])
    assert (interpreter, option) == ("python", "-c")
    async with open_server(default_app(), Server(host="127.0.0.1", port=0)) as url:
        port = url.rpartition(":")[2]
        assert await _status_of(program, port) == 0
    assert await _status_of(program, port) != 0


async def _status_of(program: str, port: str) -> int:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program,
        env=bare_environment(LOCKGATE_SERVER__PORT=port), stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    return await process.wait()
