"""The contenders: Lockgate and its peers, and how each is started. All do the same work.

Each verifies an RS256 token, checks a limit per user in Redis that is never reached, calls four
services, returns one JSON document and writes its usual access log.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench import pinning
from tests.bench.environments import PEERS, install_node_environment, install_python_environment
from tests.bench.identity import Identity
from tests.bench.paths import ROOT, make_cache_path
from tests.bench.processes import Command, find_free_port, start_process, wait_until_serving
from tests.bench.upstream import USER, Upstream

PATH = f"/dashboard/{USER}"
LIMIT = 100_000_000
GUNICORN_WORKERS = 8


@dataclass(frozen=True, slots=True)
class Backends:
    """The backends and the identity that a contender is configured with.

    `files_url` is the service of section proxy for large bodies and events.
    """

    upstream: Upstream
    identity: Identity
    redis_url: str
    files_url: str = ""

    def to_environment(self) -> dict[str, str]:
        """Return them as the environment variables of the peers."""
        return {
            "ISSUER": self.identity.issuer,
            "AUDIENCE": self.identity.audience,
            "JWKS_FILE": str(self.identity.jwks),
            "PUBLIC_KEY_FILE": str(self.identity.pem),
            "REDIS_URL": self.redis_url,
            "LIMIT_PER_MINUTE": str(LIMIT),
            "FILES_URL": self.files_url,
            **{f"{name.upper()}_URL": url for name, url in self.upstream.urls.items()},
        }


Start = Callable[[Backends, int], Command]


@dataclass(frozen=True, slots=True)
class Contender:
    """A contender: its name, a short description, and a function that returns its command."""

    name: str
    title: str
    start: Start


@dataclass(frozen=True, slots=True)
class Running:
    """A contender that is accepting connections."""

    contender: Contender
    port: int
    process: subprocess.Popen[bytes]


@contextmanager
def serve_contender(
    contender: Contender, backends: Backends, *, log: Path | None = None
) -> Iterator[Running]:
    """Run a contender on its own core; the block starts once it accepts connections."""
    port = find_free_port()
    command = contender.start(backends, port)
    log = log or make_cache_path("logs", f"{contender.name}.log")
    with start_process(command, cores=pinning.CONTENDER_CORE, log=log) as process:
        wait_until_serving(process, port, log)
        yield Running(contender, port, process)


def _make_lockgate_command(backends: Backends, port: int) -> Command:
    issuer = {
        "issuer": backends.identity.issuer,
        "audience": backends.identity.audience,
        "jwks_file": str(backends.identity.jwks),
    }
    urls = backends.upstream.urls
    environment = {
        "LOCKGATE_ISSUERS": json.dumps([issuer]),
        "LOCKGATE_IDENTITY__ISSUER": f"http://127.0.0.1:{port}",
        "LOCKGATE_IDENTITY__SIGNING_KEY_FILE": str(backends.identity.signing_key),
        "LOCKGATE_REDIS_URL": backends.redis_url,
        "LOCKGATE_LIMITS__DASHBOARDS": f"{LIMIT}/minute",
        "LOCKGATE_SERVER__HOST": "127.0.0.1",
        "LOCKGATE_SERVER__PORT": str(port),
        "LOCKGATE_OPS__AUDIENCE": "operators",  # so that decisions are recorded
        "LOCKGATE_OPS__PORT": "0",
        **{f"LOCKGATE_UPSTREAMS__{name.upper()}__URL": url for name, url in urls.items()},
    }
    return Command([sys.executable, "-m", "gateway.cli", "serve"], environment, ROOT)


def make_usual_command(app: str) -> Start:
    """Return how an application of the usual stack is started; `app` is `module:name`."""

    def command(backends: Backends, port: int) -> Command:
        arguments = [
            str(install_python_environment("usual")), "-m", "uvicorn", app, "--host", "127.0.0.1",
            "--port", str(port), "--loop", "uvloop", "--http", "httptools",
        ]  # fmt: skip
        return Command(arguments, backends.to_environment(), PEERS / "usual")

    return command


def _make_django_command(backends: Backends, port: int) -> Command:
    arguments = [
        str(install_python_environment("django")), "-m", "gunicorn", "wsgi",
        "--bind", f"127.0.0.1:{port}",
        "--workers", str(GUNICORN_WORKERS), "--access-logfile", "-", "--no-control-socket",
    ]  # fmt: skip
    return Command(arguments, backends.to_environment(), PEERS / "django")


def make_node_command(script: str, *, token_cache: bool) -> Start:
    """Return how a script of the Node peers is started."""

    def command(backends: Backends, port: int) -> Command:
        environment = {
            **backends.to_environment(),
            "NODE_ENV": "production",
            "PORT": str(port),
            "TOKEN_CACHE": str(token_cache).lower(),
        }
        return Command(["node", script], environment, install_node_environment("node"))

    return command


_NODE = make_node_command("server.js", token_cache=False)
_NODE_WITH_CACHE = make_node_command("server.js", token_cache=True)

_ALL = (
    Contender("lockgate", "Lockgate", _make_lockgate_command),
    Contender("usual", "FastAPI, httpx, slowapi, python-jose", make_usual_command("app:app")),
    Contender(
        "django", f"Django, requests, {GUNICORN_WORKERS} gunicorn workers", _make_django_command
    ),
    Contender("node", "Node: fastify, undici", _NODE),
    Contender(
        "node-cache",
        "Node, verified tokens cached",
        _NODE_WITH_CACHE,
    ),
)
CONTENDERS: Mapping[str, Contender] = {one.name: one for one in _ALL}
