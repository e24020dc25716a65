"""The downstream services of a run: real bodies of the demo, served by a program in C."""

import asyncio
import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from gateway.demo.services import create_demo_services
from tests.bench import pinning
from tests.bench.place import built
from tests.bench.programs import program

USER = "42"
PATHS = {
    "users": f"/users/{USER}",
    "orders": f"/orders?user_id={USER}&limit=10",
    "notifications": f"/notifications/unread?user_id={USER}",
    "recommendations": f"/recommendations/{USER}",
    "catalog": "/products?sku=BEA-1001&sku=TEA-2004&sku=GRI-4001&sku=CUP-5003",
}


@dataclass(frozen=True, slots=True)
class Upstream:
    """The running services: the URL of each, and the process that plays them all."""

    urls: Mapping[str, str]
    pid: int


@contextmanager
def upstream(delay_ms: int) -> Iterator[Upstream]:
    """All five services, each of which takes so long to answer."""
    bodies = [f"{name}={path}" for name, path in _bodies().items()]
    with pinning.on(pinning.REST):
        process = subprocess.Popen(
            [str(program("upstream")), str(delay_ms), *bodies], stdout=subprocess.PIPE
        )
    with process:
        try:
            assert process.stdout
            ports = json.loads(process.stdout.readline())
            urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
            yield Upstream(urls, process.pid)
        finally:
            process.kill()


def _bodies() -> dict[str, Path]:
    """What the demo's services answer for one user, each in a file."""
    return {name: _written(name, body) for name, body in asyncio.run(_answers()).items()}


def _written(name: str, body: bytes) -> Path:
    path = built("bodies", f"{name}.json")
    path.write_bytes(body)
    return path


async def _answers() -> dict[str, bytes]:
    answers = {}
    for name, app in create_demo_services(latency_ms=0).items():
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://demo.invalid"
        ) as client:
            answers[name] = (await client.get(PATHS[name])).raise_for_status().content
    return answers
