"""Runs the shell blocks of a page in order and compares their output with the page.

The page shows the default ports; the tests run on free ports and translate between the two.
"""

import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tests.docs.blocks import Block, matches
from tests.docs.project import ROOT, build_environment
from tests.running_demo import Demo

GATEWAY = "http://127.0.0.1:8000"
OUTPUTS = {"text", "json", "http"}
PORTS = {
    "identity": 9100,
    "users": 9101,
    "orders": 9102,
    "notifications": 9103,
    "recommendations": 9104,
    "catalog": 9105,
    "echo": 9106,
}
STARTS = re.compile(r"(LOCKGATE_\w+=\S+ )?(make|redis-server) ")


@dataclass(frozen=True)
class Step:
    """A shell block, and the output that the page shows after it, or None."""

    command: str
    output: str | None


def read_steps(blocks: Sequence[Block], *sections: str) -> Iterator[Step]:
    """Yield the shell blocks of these sections, except those that start a server."""
    chosen = [block for block in blocks if block.section in sections]
    for block, following in pairwise([*chosen, Block("", "", "", None)]):
        if block.language == "sh" and not STARTS.match(block.text.replace("\n", " ")):
            yield Step(block.text, following.text if following.language in OUTPUTS else None)


class Session:
    """A shell beside a running demo. Its variables persist from one step to the next."""

    def __init__(self, demo: Demo) -> None:
        self._demo = demo
        self._variables = build_environment()

    def run(self, step: Step) -> str:
        """Run a step and return its output, with the ports of the page.

        Raises:
            AssertionError: the output differs from the one on the page.
        """
        command = self._replace_ports(step.command)
        script = f"set -o pipefail\n{command}\nexport TOKEN SEVEN WITHOUT\nenv -0 >&2"
        done = subprocess.run(
            ["bash", "-c", script], cwd=ROOT, env=self._variables, capture_output=True, timeout=40,
            check=True,
        )  # fmt: skip
        variables = done.stderr.decode().rstrip("\0").split("\0")
        self._variables = dict(v.split("=", 1) for v in variables if "=" in v)
        output = self.restore_ports(done.stdout.decode())
        shown = step.output
        assert shown is None or matches(shown, output), f"{step.command}\ngave\n{output}"
        return output

    def restore_ports(self, text: str) -> str:
        """Return the text with the ports of the page in place of the real ones."""
        for default, actual in self._address_pairs():
            text = text.replace(actual, default)
        return text

    def _replace_ports(self, text: str) -> str:
        for default, actual in self._address_pairs():
            text = text.replace(default, actual)
        port = self._demo.service("identity").rpartition(":")[2]
        command = f"{sys.executable} -m gateway.cli token --port {port}"
        return text.replace(".venv/bin/lockgate token", command)

    def _address_pairs(self) -> Iterator[tuple[str, str]]:
        yield GATEWAY, self._demo.url
        for name, port in PORTS.items():
            yield f"http://127.0.0.1:{port}", self._demo.service(name)
