"""`lockgate serve` as production runs it, on the services of a running demo."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.demo.identity import AUDIENCE, DISCOVERY_PATH, ISSUER
from gateway.demo.serve_demo import SERVICE_PORTS
from tests.running_demo import ROOT, Demo


@dataclass(frozen=True)
class Served:
    """A running `lockgate serve`; its log goes to a file, a JSON object a line."""

    process: subprocess.Popen[str]
    log: Path

    def events(self) -> list[dict[str, object]]:
        """What it has logged so far."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    @property
    def url(self) -> str:
        """Where it is; waits until it has said so."""
        ends_at = time.monotonic() + 30
        while time.monotonic() < ends_at and self.process.poll() is None:
            for event in self.events():
                if event["event"] == "gateway.started":
                    return str(event["url"])
            time.sleep(0.02)
        raise AssertionError(self.log.read_text())

    def stop(self) -> int:
        """SIGTERM, and the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


@contextmanager
def served(demo: Demo, log: Path, **variables: str) -> Iterator[Served]:
    """Serve until the end of the block; `variables` go into its environment."""
    issuer = {
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "discovery_url": demo.service("identity") + DISCOVERY_PATH,
    }
    environment = {
        "PATH": os.environ["PATH"],
        "LOCKGATE_ISSUERS": json.dumps([issuer]),
        "LOCKGATE_SERVER__HOST": "127.0.0.1",
        "LOCKGATE_SERVER__PORT": "0",
        **{f"LOCKGATE_UPSTREAMS__{s.upper()}__URL": demo.service(s) for s in SERVICE_PORTS},
        **variables,
    }
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway.cli", "serve"],
            cwd=ROOT, env=environment, stderr=stderr, text=True,
        )  # fmt: skip
    with process:
        try:
            yield Served(process, log)
        finally:
            process.kill()
