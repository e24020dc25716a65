"""Runs the downstream services: a C program that serves the demo services' response bodies."""

import asyncio
import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from gateway.fakes.load_fakes import load_fakes
from gateway.settings.app_package import find_app_package
from tests.bench import pinning
from tests.bench.paths import make_cache_path
from tests.bench.programs import compile_program

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
    """The running services: the URL of each, and the PID of the process that serves them all."""

    urls: Mapping[str, str]
    pid: int


@contextmanager
def run_upstream(delay_ms: int) -> Iterator[Upstream]:
    """Run all five services, which respond after `delay_ms` milliseconds."""
    bodies = [f"{name}={path}" for name, path in _write_bodies().items()]
    with pinning.pin_to(pinning.OTHER_CORE):
        process = subprocess.Popen(
            [str(compile_program("upstream")), str(delay_ms), *bodies], stdout=subprocess.PIPE
        )
    with process:
        try:
            assert process.stdout
            ports = json.loads(process.stdout.readline())
            urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
            yield Upstream(urls, process.pid)
        finally:
            process.kill()


def _write_bodies() -> dict[str, Path]:
    """Write the response of each demo service for one user to a file."""
    return {name: _write_body(name, body) for name, body in asyncio.run(_fetch_bodies()).items()}


def _write_body(name: str, body: bytes) -> Path:
    path = make_cache_path("bodies", f"{name}.json")
    path.write_bytes(body)
    return path


async def _fetch_bodies() -> dict[str, bytes]:
    bodies, apps = {}, load_fakes(find_app_package(None))
    for name, path in PATHS.items():
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(apps[name]), base_url="http://demo.invalid"
        ) as client:
            bodies[name] = (await client.get(path)).raise_for_status().content
    return bodies
