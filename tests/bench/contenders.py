"""Who is measured: Lockgate and its peers, and how each is started. All do the same job.

They verify an RS256 token, check a limit per user in Redis that is never reached, ask four
services and answer with one JSON; each writes its usual access log.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench import pinning
from tests.bench.environments import PEERS, node_environment, python_environment
from tests.bench.identity import Identity
from tests.bench.place import ROOT, built
from tests.bench.running import Command, free_port, started, wait_until_it_answers
from tests.bench.upstream import USER, Upstream

PATH = f"/dashboard/{USER}"
LIMIT = 100_000_000
GUNICORN_WORKERS = 8


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a contender works with."""

    upstream: Upstream
    identity: Identity
    redis_url: str

    def environment(self) -> dict[str, str]:
        """The same as the peers' variables."""
        return {
            "ISSUER": self.identity.issuer,
            "AUDIENCE": self.identity.audience,
            "JWKS_FILE": str(self.identity.jwks),
            "PUBLIC_KEY_FILE": str(self.identity.pem),
            "REDIS_URL": self.redis_url,
            "LIMIT_PER_MINUTE": str(LIMIT),
            **{f"{name.upper()}_URL": url for name, url in self.upstream.urls.items()},
        }


Start = Callable[[Surroundings, int], Command]


@dataclass(frozen=True, slots=True)
class Contender:
    """One of them: what it is made of in a few words, and the command for a port."""

    name: str
    title: str
    start: Start


@dataclass(frozen=True, slots=True)
class Running:
    """A contender that serves."""

    contender: Contender
    port: int
    process: subprocess.Popen[bytes]


@contextmanager
def serving(
    contender: Contender, surroundings: Surroundings, *, log: Path | None = None
) -> Iterator[Running]:
    """Run it on its own core for the length of the block, once it takes connections."""
    port = free_port()
    command = contender.start(surroundings, port)
    log = log or built("logs", f"{contender.name}.log")
    with started(command, cores=pinning.SUBJECT, log=log) as process:
        wait_until_it_answers(process, port, log)
        yield Running(contender, port, process)


def _lockgate(surroundings: Surroundings, port: int) -> Command:
    issuer = {
        "issuer": surroundings.identity.issuer,
        "audience": surroundings.identity.audience,
        "jwks_file": str(surroundings.identity.jwks),
    }
    urls = surroundings.upstream.urls
    environment = {
        "LOCKGATE_ISSUERS": json.dumps([issuer]),
        "LOCKGATE_REDIS_URL": surroundings.redis_url,
        "LOCKGATE_LIMITS__DASHBOARDS": f"{LIMIT}/minute",
        "LOCKGATE_SERVER__HOST": "127.0.0.1",
        "LOCKGATE_SERVER__PORT": str(port),
        **{f"LOCKGATE_UPSTREAMS__{name.upper()}__URL": url for name, url in urls.items()},
    }
    return Command([sys.executable, "-m", "gateway.cli", "serve"], environment, ROOT)


def _usual(surroundings: Surroundings, port: int) -> Command:
    words = [
        str(python_environment("usual")), "-m", "uvicorn", "app:app", "--host", "127.0.0.1",
        "--port", str(port), "--loop", "uvloop", "--http", "httptools",
    ]  # fmt: skip
    return Command(words, surroundings.environment(), PEERS / "usual")


def _django(surroundings: Surroundings, port: int) -> Command:
    words = [
        str(python_environment("django")), "-m", "gunicorn", "wsgi", "--bind", f"127.0.0.1:{port}",
        "--workers", str(GUNICORN_WORKERS), "--access-logfile", "-", "--no-control-socket",
    ]  # fmt: skip
    return Command(words, surroundings.environment(), PEERS / "django")


def _node(*, token_cache: bool) -> Start:
    def command(surroundings: Surroundings, port: int) -> Command:
        environment = {
            **surroundings.environment(),
            "NODE_ENV": "production",
            "PORT": str(port),
            "TOKEN_CACHE": str(token_cache).lower(),
        }
        return Command(["node", "server.js"], environment, node_environment("node"))

    return command


_ALL = (
    Contender("lockgate", "Lockgate", _lockgate),
    Contender("usual", "FastAPI, httpx, slowapi, python-jose", _usual),
    Contender("django", f"Django, requests, {GUNICORN_WORKERS} gunicorn workers", _django),
    Contender("node", "Node: fastify, undici", _node(token_cache=False)),
    Contender("node-cache", "Node, verified tokens cached", _node(token_cache=True)),
)
CONTENDERS: Mapping[str, Contender] = {one.name: one for one in _ALL}
