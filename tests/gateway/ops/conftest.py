"""A running ops app beside a gateway, and an operator who uses it."""

from collections.abc import AsyncIterator

import httpx
import pytest

from gateway.ops.ops_scopes import READ, WRITE
from tests.gateway.ops.ops_server import OpsServer, make_settings, run_ops


@pytest.fixture
async def ops() -> AsyncIterator[OpsServer]:
    """An ops app with a database."""
    with make_settings() as settings:
        async with run_ops(settings) as server:
            yield server


@pytest.fixture
async def client(ops: OpsServer) -> AsyncIterator[httpx.AsyncClient]:
    """A client without a token."""
    async with httpx.AsyncClient(base_url=ops.url, timeout=120) as http:
        yield http


@pytest.fixture
async def operator(ops: OpsServer) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an operator, with both scopes."""
    headers = {"Authorization": f"Bearer {ops.token(READ, WRITE)}"}
    async with httpx.AsyncClient(base_url=ops.url, headers=headers, timeout=120) as http:
        yield http
