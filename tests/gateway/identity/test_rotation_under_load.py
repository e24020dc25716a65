"""Rotation in four processes that share one key file: services refuse no token.

The service caches the key set for its `max-age`, and never asks again before. All clocks run 150
times as fast as real ones.
"""

import asyncio
import json
import random
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import jwt
import pytest
from fastapi import FastAPI, Request
from starlette.responses import PlainTextResponse

from gateway.identity.key_file_rotation import rotate_key_file
from gateway.server.lifecycle import open_server
from gateway.settings.schema import Server
from tests.docs.project import ROOT
from tests.gateway.auth.token_factory import (
    AUDIENCE,
    ISSUER,
    encode_jwk_set,
    get_signing_key,
    make_token,
)
from tests.gateway.identity.fast_gateway import Plan
from tests.gateway.identity.verifiers import GATEWAY

PROCESSES = 4
SPEED = 150
PROVIDER = get_signing_key("ES256")
CALLERS = [
    make_token({"sub": f"u{n}", "scope": "stock:read", "exp": 4e9}, key=PROVIDER) for n in range(20)
]


@pytest.fixture
async def service() -> AsyncIterator[str]:
    """A service that responds with the token that it has received; the URL of it."""
    app = FastAPI()

    @app.get("/{path:path}")
    async def echo(request: Request) -> PlainTextResponse:
        return PlainTextResponse(request.headers["authorization"].removeprefix("Bearer "))

    async with open_server(app, Server(host="127.0.0.1", port=0)) as server:
        yield server.url


@pytest.fixture
def plan(tmp_path: Path, service: str) -> Plan:
    provider, keys = tmp_path / "provider.jwks", tmp_path / "signing.jwks"
    provider.write_bytes(encode_jwk_set(PROVIDER.jwk()))
    settings = {
        "issuers": [{"issuer": ISSUER, "audience": AUDIENCE, "jwks_file": str(provider)}],
        "identity": {"issuer": GATEWAY, "signing_key_file": str(keys)},
        "upstreams": {"inventory": {"url": service}},
        "server": {"host": "127.0.0.1", "port": 0, "drain_seconds": 0},
    }
    plan = Plan(settings, PROCESSES, time.time(), SPEED)
    rotate_key_file(keys, "ES256", plan.epoch)
    return plan


@contextmanager
def run_gateways(plan: Plan, folder: Path) -> Iterator[list[str]]:
    """Run the processes, and yield their URLs."""
    file = folder / "plan.json"
    file.write_text(json.dumps(plan._asdict()))
    command = [sys.executable, "-m", "tests.gateway.identity.fast_gateway", str(file)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin
        assert process.stdout
        try:
            yield [process.stdout.readline().strip() for _ in range(plan.processes)]
        finally:
            process.stdin.close()


class CachingService:
    """Verifies as a service does that caches the key set for its max-age, on the fast clock."""

    def __init__(self, http: httpx.AsyncClient, urls: list[str], plan: Plan) -> None:
        self.refused = list[str]()
        self.accepted: Counter[str] = Counter()
        self._http, self._urls, self._plan = http, urls, plan
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fresh_until = 0.0

    async def verify(self, token: str) -> None:
        """Verify the signature; expiry is left out, because real time is 150 times as slow."""
        if self._plan.now() >= self._fresh_until:
            await self._fetch()
        key_id = jwt.get_unverified_header(token)["kid"]
        try:
            jwt.decode(
                token,
                self._keys[key_id],
                algorithms=["ES256", "EdDSA"],
                audience="inventory",
                issuer=GATEWAY,
                options={"verify_exp": False, "verify_iat": False},
            )
        except (KeyError, jwt.PyJWTError) as error:
            self.refused.append(f"{key_id}: {error!r}")
        self.accepted[key_id] += 1

    async def _fetch(self) -> None:
        response = await self._http.get(f"{random.choice(self._urls)}/.well-known/jwks.json")
        max_age = re.search(r"max-age=(\d+)", response.headers["cache-control"])
        assert max_age
        self._fresh_until = self._plan.now() + int(max_age[1])
        self._keys = {str(key.key_id): key for key in jwt.PyJWKSet(response.json()["keys"]).keys}


async def list_published(http: httpx.AsyncClient, urls: list[str]) -> set[tuple[str, ...]]:
    """Return each key set that a process publishes, as its key ids."""
    responses = [await http.get(f"{url}/.well-known/jwks.json") for url in urls]
    return {tuple(key["kid"] for key in response.json()["keys"]) for response in responses}


async def wait_until_published(
    http: httpx.AsyncClient, urls: list[str], key_ids: tuple[str, ...]
) -> None:
    """Wait until every process publishes these keys."""
    while await list_published(http, urls) != {key_ids}:  # noqa: ASYNC110 - other processes
        await asyncio.sleep(0.05)


async def test_no_token_is_refused_while_four_processes_change_to_a_new_key(
    plan: Plan, tmp_path: Path
) -> None:
    key_file = tmp_path / "signing.jwks"
    with run_gateways(plan, tmp_path) as urls:
        async with httpx.AsyncClient(trust_env=False) as http:
            services = [CachingService(http, urls, plan) for _ in range(3)]

            async def load() -> None:
                while True:
                    headers = {"Authorization": f"Bearer {random.choice(CALLERS)}"}
                    url = f"{random.choice(urls)}/inventory/items"
                    response = await http.get(url, headers=headers)
                    assert response.status_code == 200, response.text
                    await random.choice(services).verify(response.text)
                    await asyncio.sleep(0.01)

            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(load()) for _ in range(6)]
                ((old,),) = await list_published(http, urls)
                new = rotate_key_file(key_file, "EdDSA", plan.now()).ids[-1]
                await wait_until_published(http, urls, (old, new))
                await wait_until_published(http, urls, (new,))
                for task in tasks:
                    task.cancel()
    accepted = sum((service.accepted for service in services), Counter[str]())
    assert [refusal for service in services for refusal in service.refused] == []
    assert set(accepted) == {old, new}
    assert min(accepted.values()) > 20
