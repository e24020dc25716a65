"""A gateway of one's own, from an empty folder and the wheel, as the how-to pages build it."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.blocks import Block, matches, parse_blocks, parse_files
from tests.docs.project import ROOT
from tests.e2e.project import Project
from tests.running_demo import Demo, send_request

HOW_TO = ROOT / "docs" / "how-to"
GUIDE = HOW_TO / "build-your-own-gateway.md"
ADDITION = HOW_TO / "add-a-service-and-a-composite.md"
SHOP = re.compile("dashboard|storefront|notifications|recommendations|catalog", re.IGNORECASE)

pytestmark = pytest.mark.timeout(240)


def iter_commands(page: Path, *sections: str) -> Iterator[str]:
    """Yield the shell blocks of these sections, except the one that starts the demo."""
    for block in parse_blocks(page):
        if block.language == "sh" and block.section in sections and block.text != "make run\n":
            yield block.text


def run_step(project: Project, command: str) -> None:
    """Run a step of a page: its output has no failure and nothing of the shop."""
    started_at = time.monotonic()
    output = project.run(command)
    print(f"{time.monotonic() - started_at:5.1f} s  {command.strip()}")
    assert not re.search(r"\d (failed|skipped|errors?)\b|warning", output), output
    assert not SHOP.search(output), output


def write_files(project: Project, page: Path) -> None:
    for name, text in parse_files(page).items():
        (project.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (project.folder / name).write_text(text)


@pytest.fixture(scope="module")
def project(installation: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project that the guide creates in an empty folder."""
    empty = Project(tmp_path_factory.mktemp("empty"), installation)
    first, second = list(iter_commands(GUIDE, "Create a package"))
    assert first == "lockgate new acme\n"
    run_step(empty, first)
    project = Project(empty.folder / "acme", installation)
    run_step(project, second.removeprefix("cd acme\n"))
    return project


@pytest.fixture(scope="module")
def extended(project: Project) -> Project:
    """The project after all steps of the guide."""
    for section in ("Add a service and a page", "Configure it"):
        for command in iter_commands(GUIDE, section):
            run_step(project, command)
    write_files(project, GUIDE)
    (project.folder / "acme" / "routers" / "__init__.py").touch()
    for command in iter_commands(GUIDE, "Use your own code"):
        run_step(project, command)
    return project


def send(demo: Demo, path: str) -> str:
    headers = {"Authorization": f"Bearer {demo.token}"}
    response = send_request("GET", demo.url + path, headers=headers)
    return response.text


def test_the_guide_ends_with_a_gateway_of_ones_own(extended: Project) -> None:
    (shown,) = [block.text for block in parse_blocks(GUIDE) if block.language == "http"]
    with extended.start() as demo:
        assert {"messages", "orders"} <= set(demo.services)
        inbox = send(demo, "/inbox/42")
        demo.set_dial("messages", fault="status", code=503)
        overview = send(demo, "/overview/42")
        greeting, document = send(demo, "/greeting"), send(demo, "/openapi.json")
        refused = send(demo, "/overview/43")
    assert matches(shown.splitlines()[-1], inbox)
    assert '"degraded":[{"part":"messages","reason":"unavailable"}]' in overview
    assert greeting == '{"greeting":"hello"}'
    for text in (demo.output, inbox, overview, document, refused):
        assert not SHOP.search(text), text


def test_the_page_on_services_and_composites_adds_both(extended: Project) -> None:
    write_files(extended, ADDITION)
    for command in iter_commands(ADDITION, "Set the addresses", "Test it"):
        run_step(extended, command)
    blocks = [block for block in parse_blocks(ADDITION) if block.section == "Try it"]
    with extended.start() as demo:
        _run_shell_blocks(extended, demo, blocks)


def _run_shell_blocks(project: Project, demo: Demo, blocks: list[Block]) -> None:
    """Run pairs of a command and its output, with the ports of the running demo."""
    variables = f"TOKEN={demo.token}\n"
    for command, output in zip(blocks[::2], blocks[1::2], strict=True):
        text = command.text.replace("TOKEN=$(lockgate token)\n", "")
        text = text.replace("http://127.0.0.1:8000", demo.url)
        text = text.replace("http://127.0.0.1:9302", demo.service("reviews"))
        assert matches(output.text, project.run(variables + text))
