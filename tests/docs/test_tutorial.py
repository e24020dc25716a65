"""docs/tutorial.md, followed step by step against a real demo."""

import subprocess
import time
from pathlib import Path

import httpx
import pytest

from tests.docs import workshop
from tests.docs.blocks import blocks, files, matches
from tests.docs.project import ROOT
from tests.docs.session import STARTS, Session, steps
from tests.redis_server import RedisServer
from tests.running_demo import Demo

PAGE = ROOT / "docs" / "tutorial.md"
BLOCKS = blocks(PAGE)
README = blocks(ROOT / "README.md")
LINE_OF_THE_README = next(b.text for b in README if b.text.startswith("curl"))


def test_the_first_half_is_as_the_page_says() -> None:
    sections = ("Start it", "One request, four services", "Turn a dial", "Meet a limit")
    welcome = next(block.text for block in BLOCKS if block.language == "text")
    with workshop.demo() as demo:
        session = Session(demo)
        said = session.with_usual_ports(demo.output)
        assert matches(welcome, said)
        assert matches(f"…{LINE_OF_THE_README}…", said)
        for step in steps(BLOCKS, *sections):
            session.follow(step)


@pytest.mark.redis
def test_the_second_half_is_as_the_page_says(own_redis: RedisServer, tmp_path: Path) -> None:
    workshop.copy_to(tmp_path, files(PAGE))
    with workshop.demo(tmp_path, LOCKGATE_REDIS_URL=own_redis.url) as demo:
        session = Session(demo)
        for step in steps(BLOCKS, "A page of your own"):
            session.follow(step)
        before, *after = steps(BLOCKS, "Lose Redis")
        session.follow(before)
        own_redis.kill()
        for step in after:
            session.follow(step)
        own_redis.start()
        _wait_until_ready(demo)


def _wait_until_ready(demo: Demo) -> None:
    patience = time.monotonic() + 20
    while httpx.get(f"{demo.url}/readyz", trust_env=False).json()["status"] != "ok":
        assert time.monotonic() < patience
        time.sleep(0.05)


def test_only_starts_of_servers_are_left_out() -> None:
    shells = [block.text for block in BLOCKS if block.language == "sh"]
    left_out = [text for text in shells if STARTS.match(text.replace("\n", " "))]
    assert left_out == [
        "make run\n",
        'redis-server --port 6379 --save ""\n',
        "LOCKGATE_REDIS_URL=redis://127.0.0.1:6379/0 make run\n",
    ]


def test_the_verb_that_starts_the_demo_is_there() -> None:
    shown = subprocess.run(
        ["make", "--dry-run", "run"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert "lockgate demo" in shown


def test_the_readme_shows_the_answer_of_the_tutorial() -> None:
    answers = [[b.text for b in page if b.language == "http"] for page in (README, BLOCKS)]
    assert answers[0] == answers[1][:1]
