"""Runs `lockgate serve` in a child process, with the services of a running demo."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.fakes.identity_endpoints import AUDIENCE, DISCOVERY_PATH, ISSUER
from tests.running_demo import ROOT, Demo

ON_ANY_PORT = {
    "PATH": os.environ["PATH"],
    "LOCKGATE_SERVER__HOST": "127.0.0.1",
    "LOCKGATE_SERVER__PORT": "0",
    "LOCKGATE_OPS__PORT": "0",
    "LOCKGATE_SERVER__DRAIN_SECONDS": "0",
}
"""The environment of a gateway on a free port of this machine; nothing drains."""

START_SECONDS = 120
"""When a gateway has not started; a busy machine needs much of it for several at once."""


@dataclass(frozen=True)
class ServeProcess:
    """A running `lockgate serve`. Its log file has one JSON object per line."""

    process: subprocess.Popen[str]
    log: Path

    def read_events(self) -> list[dict[str, object]]:
        """The events logged so far."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    @property
    def url(self) -> str:
        """The URL of the gateway. Waits until it has started."""
        return self._wait_for_url("gateway.started")

    @property
    def ops_url(self) -> str:
        """The URL of the ops app. Waits until it has started."""
        return self._wait_for_url("ops.started")

    def _wait_for_url(self, started: str) -> str:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            for event in self.read_events():
                if event["event"] == started:
                    return str(event["url"])
            time.sleep(0.02)
        raise AssertionError(self.log.read_text())

    def stop(self) -> int:
        """Send SIGTERM, wait, and return the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


def build_environment(demo: Demo, **variables: str) -> dict[str, str]:
    """Return the environment of a gateway for the services of a demo, with `variables` added."""
    issuer = {
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "discovery_url": demo.service("identity") + DISCOVERY_PATH,
    }
    return {
        "LOCKGATE_APP__PACKAGE": "tests.sample",
        "LOCKGATE_ISSUERS": json.dumps([issuer]),
        **{f"LOCKGATE_UPSTREAMS__{s.upper()}__URL": demo.service(s) for s in demo.services},
        **variables,
    }


@contextmanager
def run_serve(
    demo: Demo, log: Path, shell_prefix: str = "", **variables: str
) -> Iterator[ServeProcess]:
    """Serve until the block ends; nothing drains. `variables` are added to the environment.

    `shell_prefix` is run before, such as "ulimit -n 1024; ".
    """
    environment = build_environment(demo, **variables)
    with run_serve_with(environment, log, shell_prefix) as running:
        yield running


@contextmanager
def run_serve_with(
    environment: Mapping[str, str], log: Path, shell_prefix: str = "", subcommand: str = "serve"
) -> Iterator[ServeProcess]:
    """Serve with this environment, on any free port, until the block ends; nothing drains."""
    environment = {**ON_ANY_PORT, **environment}
    with log.open("w") as stderr:
        process = subprocess.Popen(
            ["sh", "-c", f'{shell_prefix}exec "$0" -m gateway.cli {subcommand}', sys.executable],
            cwd=ROOT, env=environment, stderr=stderr, text=True,
        )  # fmt: skip
    with process:
        try:
            yield ServeProcess(process, log)
        finally:
            process.kill()
