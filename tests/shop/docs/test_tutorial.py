"""Runs docs/tutorial.md step by step against a real demo."""

import re
import subprocess
import time
from pathlib import Path

import httpx
import pytest

from config.limits import DASHBOARDS
from config.routes import routes
from gateway.composites import dashboard
from gateway.proxy import Proxy
from gateway.ratelimit import RateLimit
from tests.docs.blocks import matches, parse_blocks, parse_files
from tests.docs.project import ROOT
from tests.redis_server import RedisServer
from tests.running_demo import Demo
from tests.shop.docs import workspace
from tests.shop.docs.session import STARTS, Session, read_steps

PAGE = ROOT / "docs" / "tutorial.md"
BLOCKS = parse_blocks(PAGE)
README = parse_blocks(ROOT / "README.md")
README_COMMAND = next(b.text for b in README if b.text.startswith("curl"))


def test_the_steps_of_the_first_half() -> None:
    sections = (
        "Start the demo",
        "Send one request to four services",
        "Make a service fail",
        "Exceed a rate limit",
    )
    welcome = next(block.text for block in BLOCKS if block.language == "text")
    with workspace.start_demo() as demo:
        session = Session(demo)
        output = session.restore_ports(demo.output)
        output = re.sub(r"`\S+ -m gateway\.cli", "`.venv/bin/lockgate", output)
        # A service that was added to the shop stands between the lines of the page.
        assert matches("…".join(filter(None, welcome.splitlines())), output)
        assert matches(f"…{README_COMMAND}…", output)
        for step in read_steps(BLOCKS, *sections):
            session.run(step)


@pytest.mark.redis
def test_the_steps_of_the_second_half(own_redis: RedisServer, tmp_path: Path) -> None:
    workspace.copy_to(tmp_path, parse_files(PAGE))
    with workspace.start_demo(tmp_path, LOCKGATE_REDIS_URL=own_redis.url) as demo:
        session = Session(demo)
        for step in read_steps(BLOCKS, "Add a page", "Put a service behind the gateway"):
            session.run(step)
        before, *after = read_steps(BLOCKS, "Stop Redis")
        session.run(before)
        own_redis.kill()
        for step in after:
            session.run(step)
        own_redis.start()
        _wait_until_ready(demo)


def _wait_until_ready(demo: Demo) -> None:
    deadline = time.monotonic() + 60
    while httpx.get(f"{demo.url}/readyz", trust_env=False).json()["status"] != "ok":
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_page_adds_one_line_to_the_routes() -> None:
    shown = parse_files(PAGE)["config/routes.py"].splitlines()
    current = (ROOT / "config" / "routes.py").read_text().splitlines()
    assert [line for line in shown if line not in current] == [shown[-2]]
    assert [line for line in current if line not in shown] == []


def test_only_commands_that_start_a_server_are_skipped() -> None:
    shells = [block.text for block in BLOCKS if block.language == "sh"]
    skipped = [text for text in shells if STARTS.match(text.replace("\n", " "))]
    assert skipped == [
        "make run\n",
        'redis-server --port 6379 --save ""\n',
        "LOCKGATE_REDIS_URL=redis://127.0.0.1:6379/0 make run\n",
    ]


def test_the_make_target_starts_the_demo() -> None:
    shown = subprocess.run(
        ["make", "--dry-run", "run"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert "lockgate demo" in shown


def test_the_readme_shows_declarations_of_the_shop() -> None:
    (block,) = [b.text for b in README if b.language == "python"]
    names = {**vars(dashboard), "Proxy": Proxy, "RateLimit": RateLimit}
    exec(block, names)
    (proxy,) = names["routes"]
    (declared,) = [one for one in routes if one.path == proxy.path]
    assert (proxy.to, proxy.requires, proxy.websocket) == (
        declared.to, declared.requires, declared.websocket
    )  # fmt: skip
    assert names["DASHBOARDS"] == DASHBOARDS
    lines = [" ".join(line.split()) for line in block.splitlines() if line.startswith("    ")]
    source = Path(dashboard.__file__).read_text(encoding="utf-8")
    assert all(line in " ".join(source.split()) for line in lines)


def test_the_readme_and_the_tutorial_show_the_same_response() -> None:
    responses = [[b.text for b in page if b.language == "http"] for page in (README, BLOCKS)]
    assert responses[0] == responses[1][:1]
