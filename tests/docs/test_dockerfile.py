"""Tests of the Dockerfile that need no container engine: stages, lock files, user."""

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

from gateway.app import create_app
from gateway.app_loader import Application
from gateway.cli.main import build_parser
from gateway.server.lifecycle import open_server
from gateway.settings.schema import Server, Settings
from tests.docs.project import ROOT, build_environment

DOCKERFILE = (ROOT / "Dockerfile").read_text()


def parse_instructions() -> list[tuple[str, str]]:
    """Return each instruction with its arguments; comments dropped, continuation lines joined."""
    lines = [line for line in DOCKERFILE.splitlines() if line and not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in joined.splitlines()]


def parse_stages() -> list[list[tuple[str, str]]]:
    found: list[list[tuple[str, str]]] = []
    for name, rest in parse_instructions():
        if name == "FROM":
            found.append([])
        found[-1].append((name, rest))
    return found


BUILD, RUN, DEMO, DEFAULT = parse_stages()


def find_arguments(stage: list[tuple[str, str]], name: str) -> list[str]:
    return [rest for instruction, rest in stage if instruction == name]


def test_both_stages_run_the_same_pinned_python() -> None:
    images = find_arguments(BUILD, "FROM") + find_arguments(RUN, "FROM")
    bases = {image.split()[0] for image in images}
    assert len(bases) == 1
    assert re.fullmatch(r"python:3\.\d+-slim", bases.pop())


def copied_paths() -> Iterator[str]:
    for rest in find_arguments(BUILD, "COPY"):
        yield from rest.split()[:-1]


def test_copied_paths_exist_and_are_not_ignored() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    unignored = {line[1:] for line in ignored if line.startswith("!")}
    assert "*" in ignored
    shop = {rest.partition("/")[0].split()[0] for rest in find_arguments(DEMO, "COPY")}
    assert {*copied_paths(), *shop} == unignored
    assert all((ROOT / name).exists() for name in copied_paths())


def test_every_package_of_the_wheel_is_copied() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert set(packages) <= set(copied_paths())
    assert project["project"]["readme"] in copied_paths()


def test_packages_are_installed_from_the_lock_with_hashes() -> None:
    steps = " && ".join(find_arguments(BUILD, "RUN"))
    installs = re.findall(r"install (.*?)(?: && |$)", steps)
    assert installs == [
        "--require-hashes --requirement requirements.lock",
        "--require-hashes --requirement build.lock",
        "--no-deps --no-index dist/*.whl",
    ]


def test_the_build_lock_contains_the_dependencies_of_hatchling(tmp_path: Path) -> None:
    (program,) = re.findall(r"awk '(.*?)'", DOCKERFILE)
    lock = subprocess.run(
        ["awk", program, ROOT / "requirements-dev.lock"],
        capture_output=True, text=True, check=True, cwd=tmp_path,
    ).stdout  # fmt: skip
    assert set(re.findall(r"^([\w-]+)==", lock, re.MULTILINE)) == _find_dependencies("hatchling")
    assert lock.count("--hash=") >= len(_find_dependencies("hatchling"))


def _find_dependencies(package: str) -> set[str]:
    """Return a package and its transitive dependencies on the Python of the image."""
    found, due = set[str](), deque([package])
    while due:
        name = due.popleft()
        if name not in found:
            found.add(name)
            needed = [r for r in requires(name) or () if "extra" not in r and "< '3" not in r]
            due += [re.split(r"[\s<>=!~;\[(]", r)[0] for r in needed if "python_version <" not in r]
    return found


def test_the_wheel_contains_only_the_framework(tmp_path: Path) -> None:
    for name in ("pyproject.toml", "README.md", "gateway"):
        (tmp_path / name).symlink_to(ROOT / name)
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel"],
        cwd=tmp_path, env=build_environment(), check=True, capture_output=True,
    )  # fmt: skip
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    with ZipFile(wheel) as archive:
        names = archive.namelist()
        (entry,) = [name for name in names if name.endswith("entry_points.txt")]
        assert "lockgate = gateway.cli.main:main" in archive.read(entry).decode()
    assert "gateway/ratelimit/redis/lua/count.lua" in names
    assert {name.partition("/")[0] for name in names} == {"gateway", entry.partition("/")[0]}
    assert not [name for name in names if name.startswith(("gateway/composites", "gateway/demo"))]


def test_the_image_runs_as_an_unprivileged_user_and_has_no_build_tools() -> None:
    assert find_arguments(RUN, "COPY") == ["--from=build /opt/lockgate /opt/lockgate"]
    (user,) = find_arguments(RUN, "USER")
    uid = user.split(":")[0]
    assert uid.isdigit()
    assert f"useradd --uid {uid} " in find_arguments(RUN, "RUN")[0]
    assert not fnmatch(" ".join(find_arguments(RUN, "RUN")), "*install*")
    names = [name for name, _ in RUN]
    assert names.index("USER") < names.index("ENTRYPOINT")


def test_the_default_image_has_no_shop_and_the_image_of_the_demo_has() -> None:
    assert DEFAULT == [("FROM", "gateway")]
    version = re.findall(r"^FROM python:(3\.\d+)-slim AS gateway$", DOCKERFILE, re.MULTILINE)
    target = f"/opt/lockgate/lib/python{version[0]}/site-packages"
    assert find_arguments(DEMO, "FROM") == ["gateway AS demo"]
    assert find_arguments(DEMO, "COPY") == [
        f"{name} {target}/{name}"
        for name in ("clients", "config", "gateway/composites", "gateway/demo")
    ]


def test_the_image_starts_the_gateway_and_stops_on_sigterm() -> None:
    assert json.loads(find_arguments(RUN, "ENTRYPOINT")[0]) == ["lockgate"]
    assert callable(build_parser().parse_args(json.loads(find_arguments(RUN, "CMD")[0])).run)
    assert find_arguments(RUN, "STOPSIGNAL") == ["SIGTERM"]
    assert "PYTHONDONTWRITEBYTECODE=1" in find_arguments(RUN, "ENV")[0]


async def test_the_health_check_detects_a_stopped_gateway() -> None:
    (check,) = find_arguments(RUN, "HEALTHCHECK")
    command = json.loads(check.partition("CMD ")[2])
    assert command[0] == "python"
    assert command[-2:] == ["--pid", "1"]  # the gateway is process 1 of the container
    app = create_app(Settings(), application=Application())
    async with open_server(app, Server(host="127.0.0.1", port=0)) as server:
        port = server.url.rpartition(":")[2]
        # A process with the command line of `lockgate serve` stands in for process 1.
        served = await asyncio.create_subprocess_exec(
            sys.executable, "-c", "input()", "lockgate", "serve", "--port", port,
            stdin=asyncio.subprocess.PIPE,
        )  # fmt: skip
        command[-1] = str(served.pid)
        assert await _run_health_check(command) == (0, b"")
    status, errors = await _run_health_check(command)
    assert (status, b"does not serve" in errors) == (1, True)
    await served.communicate(b"\n")


async def _run_health_check(command: list[str]) -> tuple[int | None, bytes]:
    """Return the exit status and what it prints as errors."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command[1:], env=build_environment(),
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, errors = await process.communicate()
    return process.returncode, errors
