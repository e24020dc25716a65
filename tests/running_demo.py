"""Runs `lockgate demo` in a child process, and fixtures with a running demo."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

import httpx
import pytest

ROOT = Path(__file__).parents[1]


def send_request(method: str, url: str, **options: Any) -> httpx.Response:
    """Send a request with httpx. Without `verify` it loads no certificates, which is slow."""
    return httpx.request(method, url, trust_env=False, verify=False, **options)


@dataclass(frozen=True)
class Demo:
    """A running `lockgate demo`: its process and its output."""

    process: subprocess.Popen[str]
    output: str
    baseline: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def curl(self) -> str:
        """The printed curl command."""
        return self._find(r"^(curl .*)$")

    def find_line(self, beginning: str) -> str:
        """Find the printed line that begins like this."""
        return self._find(rf"^({re.escape(beginning)}.*)$")

    @property
    def commands(self) -> list[str]:
        """The further commands, after the line that sets the variables of all."""
        *_, variables, commands, _ = self.output.split("\n\n")
        assert variables.startswith("URL="), self.output
        return [f"{variables}; {command}" for command in commands.splitlines()]

    @property
    def url(self) -> str:
        """The URL of the gateway."""
        return self._find(r"Lockgate is up on (\S+?)[,.] ")

    @property
    def ops(self) -> str:
        """The URL of the ops app."""
        return self._find(r"tune the limits at (\S+),")

    @property
    def token(self) -> str:
        """The printed token, which is for user 42."""
        return self._find(r"Bearer (\S+)'")

    @property
    def services(self) -> list[str]:
        """The names of the fake services."""
        found = re.findall(r"^  (\S+) +http://", self.output, re.MULTILINE)
        return [name for name in found if name != "identity"]

    def service(self, name: str) -> str:
        """The URL of a demo service."""
        return self._find(rf"^  {name} +(\S+)$")

    def _find(self, pattern: str) -> str:
        match = re.search(pattern, self.output, re.MULTILINE)
        assert match, self.output
        return match[1]

    def set_dial(self, name: str, **fault: object) -> None:
        """Set the dial of a service."""
        send_request("PUT", f"{self.service(name)}/_dial", json=fault).raise_for_status()

    def reset(self) -> "Demo":
        """Reset every dial, wait until no request is in flight, and count from zero."""
        for name in self.services:
            send_request("DELETE", f"{self.service(name)}/_dial").raise_for_status()
            self.wait_for_counts(name, in_flight=0)
        total = replace(self, baseline={})
        return replace(self, baseline={name: total.get_counts(name) for name in self.services})

    def get_counts(self, name: str) -> dict[str, int]:
        """The counts of requests to a service since the last reset."""
        counts = send_request("GET", f"{self.service(name)}/_seen").json()
        baseline = self.baseline.get(name, {})
        return {key: count - baseline.get(key, 0) for key, count in counts.items()}

    def wait_for_counts(self, name: str, **counts: int) -> None:
        """Wait until a service has these counts."""
        deadline = time.monotonic() + 60
        while not counts.items() <= self.get_counts(name).items():
            assert time.monotonic() < deadline, f"{name}: {self.get_counts(name)}, not {counts}"
            time.sleep(0.01)

    def stop(self) -> int:
        """Send SIGTERM, wait, and return the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


SAMPLE = {"LOCKGATE_APP__PACKAGE": "tests.sample"}
FAST = {"LOCKGATE_DEMO__LATENCY_MS": "0"}


@pytest.fixture(scope="session")
def _shared_demo() -> Iterator[Demo]:
    yield from run_demo(SAMPLE | FAST)


@pytest.fixture
def demo(_shared_demo: Demo) -> Demo:
    """The sample application with its fakes, shared by the tests of this run, without latency."""
    return _shared_demo.reset()


@pytest.fixture(scope="session")
def _shared_shop() -> Iterator[Demo]:
    yield from run_demo(FAST)


@pytest.fixture
def shop(_shared_shop: Demo) -> Demo:
    """The demo of the shop, shared by the tests of this run, without latency."""
    return _shared_shop.reset()


def run_demo(variables: Mapping[str, str], folder: Path = ROOT, *arguments: str) -> Iterator[Demo]:
    """Start the demo from `folder`, wait until it is ready, and kill it at the end."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("LOCKGATE_")}
    environment["PYTHONPATH"] = str(folder)
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway.cli", "demo", "--any-ports", *arguments],
        cwd=folder,
        env={**environment, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        assert process.stdout
        try:
            yield Demo(process, _read_welcome(process.stdout))
        finally:
            if process.poll() is None:
                process.kill()


def _read_welcome(output: IO[str]) -> str:
    text = ""
    for line in output:
        text += line
        if "Ctrl-C" in line:
            return text
    raise AssertionError(f"the demo exited: {text}")
