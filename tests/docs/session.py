"""Runs the shell blocks of a page, one after the other, and holds the outputs against the page.

The page says the usual ports; here whatever ports are free stand in for them.
"""

import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from gateway.demo.serve_demo import PORTS
from tests.docs.blocks import Block, matches
from tests.docs.project import ROOT, bare_environment
from tests.running_demo import Demo

GATEWAY = "http://127.0.0.1:8000"
OUTPUTS = {"text", "json", "http"}
STARTS = re.compile(r"(LOCKGATE_\w+=\S+ )?(make|redis-server) ")


@dataclass(frozen=True)
class Step:
    """A shell block, and the output that the page shows after it, if it shows one."""

    command: str
    output: str | None


def steps(blocks: Sequence[Block], *sections: str) -> Iterator[Step]:
    """The steps of these sections; what starts a server is left to the test."""
    chosen = [block for block in blocks if block.section in sections]
    for block, following in pairwise([*chosen, Block("", "", "", None)]):
        if block.language == "sh" and not STARTS.match(block.text.replace("\n", " ")):
            yield Step(block.text, following.text if following.language in OUTPUTS else None)


class Session:
    """A shell beside a running demo, whose variables last from one step to the next."""

    def __init__(self, demo: Demo) -> None:
        self._demo = demo
        self._said = ""
        self._variables = bare_environment()

    def follow(self, step: Step) -> str:
        """Run a step; its output, in the page's ports.

        Raises:
            AssertionError: it is not the output that the page shows.
        """
        script = (
            f"set -o pipefail\n{self._with_our_ports(step.command)}\nexport TOKEN SEVEN\nenv -0 >&2"
        )
        done = subprocess.run(
            ["bash", "-c", script], cwd=ROOT, env=self._variables, capture_output=True, timeout=40,
            check=True,
        )  # fmt: skip
        variables = done.stderr.decode().rstrip("\0").split("\0")
        self._variables = dict(v.split("=", 1) for v in variables if "=" in v)
        output = self.with_usual_ports(done.stdout.decode())
        shown = step.output
        assert shown is None or matches(shown, output), f"{step.command}\ngave\n{output}"
        return output

    def with_usual_ports(self, text: str) -> str:
        """The text as it were on the ports of the page."""
        for usual, ours in self._addresses():
            text = text.replace(ours, usual)
        return text

    def _with_our_ports(self, text: str) -> str:
        for usual, ours in self._addresses():
            text = text.replace(usual, ours)
        port = self._demo.service("identity").rpartition(":")[2]
        command = f"{sys.executable} -m gateway.cli token --port {port}"
        return text.replace(".venv/bin/lockgate token", command)

    def _addresses(self) -> Iterator[tuple[str, str]]:
        yield GATEWAY, self._demo.url
        for name, port in PORTS.items():
            yield f"http://127.0.0.1:{port}", self._demo.service(name)
