"""The whole product as its users run it: processes, sockets, signals."""

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

from gateway.demo.serve_demo import SERVICE_PORTS

ROOT = Path(__file__).parents[1]


def ask(method: str, url: str, **options: Any) -> httpx.Response:
    """One request over plain HTTP, as httpx makes it; reading certificates would take longer."""
    return httpx.request(method, url, trust_env=False, verify=False, **options)


@dataclass(frozen=True)
class Demo:
    """A running `lockgate demo`."""

    process: subprocess.Popen[str]
    said: str
    before: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def curl(self) -> str:
        """The line to paste."""
        return self._find(r"^(curl .*)$")

    @property
    def url(self) -> str:
        """Where the gateway is."""
        return self._find(r"Lockgate is up on (\S+),")

    @property
    def token(self) -> str:
        """The token of user 42."""
        return self._find(r"Bearer (\S+)'")

    def service(self, name: str) -> str:
        """Where a demo service is."""
        return self._find(rf"^  {name} +(\S+)$")

    def _find(self, pattern: str) -> str:
        found = re.search(pattern, self.said, re.MULTILINE)
        assert found, self.said
        return found[1]

    def dial(self, name: str, **fault: object) -> None:
        """Turn a service's dial."""
        ask("PUT", f"{self.service(name)}/_dial", json=fault).raise_for_status()

    def at_rest(self) -> "Demo":
        """The same with every dial turned back and every count begun anew."""
        for name in SERVICE_PORTS:
            ask("DELETE", f"{self.service(name)}/_dial").raise_for_status()
            self.wait_until_seen(name, in_flight=0)
        counted = replace(self, before={})
        return replace(self, before={name: counted.seen(name) for name in SERVICE_PORTS})

    def seen(self, name: str) -> dict[str, int]:
        """What became of the requests to a service."""
        counts = ask("GET", f"{self.service(name)}/_seen").json()
        before = self.before.get(name, {})
        return {what: count - before.get(what, 0) for what, count in counts.items()}

    def wait_until_seen(self, name: str, **counts: int) -> None:
        """Wait until a service has counted just that."""
        ends_at = time.monotonic() + 10
        while not counts.items() <= self.seen(name).items():
            assert time.monotonic() < ends_at, f"{name}: {self.seen(name)}, not {counts}"
            time.sleep(0.01)

    def stop(self) -> int:
        """SIGTERM, and the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


@pytest.fixture(scope="session")
def _shared_demo() -> Iterator[Demo]:
    yield from running({"LOCKGATE_DEMO__LATENCY_MS": "0"})


@pytest.fixture
def demo(_shared_demo: Demo) -> Demo:
    """The demo of this test run, without latency. Do not stop it: ask for `own_demo` instead."""
    return _shared_demo.at_rest()


@pytest.fixture
def own_demo() -> Iterator[Demo]:
    """A demo for this test alone."""
    yield from running({"LOCKGATE_DEMO__LATENCY_MS": "0"})


@pytest.fixture
def demo_as_delivered() -> Iterator[Demo]:
    """The demo as `make run` starts it, but on free ports."""
    yield from running({})


def running(variables: Mapping[str, str], folder: Path = ROOT) -> Iterator[Demo]:
    """Start the demo of that folder, wait until it has said where it is, and stop it at the end."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("LOCKGATE_")}
    environment["PYTHONPATH"] = str(folder)
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway.cli", "demo", "--any-ports"],
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
    said = ""
    for line in output:
        said += line
        if "Ctrl-C" in line:
            return said
    raise AssertionError(f"the demo ended: {said}")
