"""The contenders of section tokens: the token endpoints of Lockgate and of oidc-provider."""

import json
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from gateway.oauth.client import OAuthClient
from gateway.settings.schema import Settings
from tests.bench import pinning
from tests.bench.environments import install_node_environment
from tests.bench.identity import Identity
from tests.bench.paths import ROOT, make_cache_path
from tests.bench.processes import Command, find_free_port, start_process, wait_until_serving
from tests.databases import create_file
from tests.gateway.oauth.client_keys import publish
from tests.gateway.oauth.oauth_gateway import GATEWAY, SECRET, add_in, make_client

_READY_SECONDS = 20
_UNLIMITED = "1000000/minute"


@dataclass(frozen=True, slots=True)
class TokenServer:
    """A running contender: its issuer, and the paths of its endpoints."""

    name: str
    port: int
    pid: int
    issuer: str
    token_path: str
    introspection_path: str
    resource: str = ""
    """The resource of the tokens that can be introspected, if not all can be."""


@contextmanager
def run_lockgate(
    identity: Identity, redis_url: str, secrets: Sequence[str]
) -> Iterator[TokenServer]:
    """Run `lockgate serve` with the clients `bff`, `signer`, and one for each of the secrets."""
    port, folder = find_free_port(), make_cache_path("tokens", "database").parent
    shutil.rmtree(folder)
    folder.mkdir()
    url = _create_database(
        folder,
        [
            make_client("bff", SECRET),
            make_client("signer", public_keys=[publish("ec")]),
            *(make_client(f"client{number}", secret) for number, secret in enumerate(secrets)),
        ],
    )
    issuer = {
        "issuer": identity.issuer, "audience": identity.audience, "jwks_file": str(identity.jwks),
    }  # fmt: skip
    environment = {
        "LOCKGATE_ISSUERS": json.dumps([issuer]),
        "LOCKGATE_DATABASE_URL": url,
        "LOCKGATE_REDIS_URL": redis_url,
        "LOCKGATE_IDENTITY__ISSUER": GATEWAY,
        "LOCKGATE_IDENTITY__SIGNING_KEY_FILE": str(identity.signing_key),
        "LOCKGATE_OAUTH__ADDRESS_LIMIT": _UNLIMITED,
        "LOCKGATE_OAUTH__CLIENT_LIMIT": _UNLIMITED,
        "LOCKGATE_SERVER__HOST": "127.0.0.1",
        "LOCKGATE_SERVER__PORT": str(port),
    }
    command = Command([sys.executable, "-m", "gateway.cli", "serve"], environment, ROOT)
    with _run("lockgate", command, port) as pid:
        _wait_until_ready(port)
        yield TokenServer("lockgate", port, pid, GATEWAY, "/oauth/token", "/oauth/introspect")


@contextmanager
def run_oidc_provider() -> Iterator[TokenServer]:
    """Run the peer, which has the clients `bff` and `signer`."""
    port = find_free_port()
    environment: Mapping[str, str] = {
        "NODE_ENV": "production",
        "PORT": str(port),
        "CLIENT_SECRET": SECRET,
        "CLIENT_KEYS": json.dumps({"keys": [publish("ec")]}),
    }
    command = Command(["node", "server.js"], environment, install_node_environment("oidc"))
    with _run("oidc-provider", command, port) as pid:
        issuer, resource = f"http://127.0.0.1:{port}", "https://opaque.test"
        paths = "/token", "/token/introspection"
        yield TokenServer("oidc-provider", port, pid, issuer, *paths, resource)


@contextmanager
def _run(name: str, command: Command, port: int) -> Iterator[int]:
    log = make_cache_path("logs", f"tokens-{name}.log")
    with start_process(command, cores=pinning.CONTENDER_CORE, log=log) as process:
        wait_until_serving(process, port, log)
        yield process.pid


def _wait_until_ready(port: int) -> None:
    """Wait until the clients have been read from the database.

    Raises:
        TimeoutError: they have not been read within 20 s.
    """
    ends_at = time.monotonic() + _READY_SECONDS
    while time.monotonic() < ends_at:
        if httpx.get(f"http://127.0.0.1:{port}/readyz", trust_env=False).is_success:
            return
        time.sleep(0.05)
    raise TimeoutError("lockgate is not ready")


def _create_database(folder: Path, clients: Sequence[OAuthClient]) -> str:
    url = create_file(folder)
    for client in clients:
        add_in(Settings(database_url=url), client)
    return url
