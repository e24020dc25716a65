"""The Node program of verify-internal-tokens.md accepts good tokens, and refuses all others."""

import asyncio
from pathlib import Path

import httpx
import pytest

from tests.docs.internal_token_services import (
    find_failures,
    find_unused_port,
    open_issuing,
    run_program,
    wait_for_port,
)
from tests.typescript.npm import TIMEOUT_SECONDS

pytestmark = [pytest.mark.typescript, pytest.mark.timeout(2 * TIMEOUT_SECONDS)]


async def test_the_service_in_node(project: Path) -> None:
    port = find_unused_port()
    async with open_issuing() as issuing:
        program = issuing.read_program("service.mjs").replace("listen(8080", f"listen({port}")
        assert f"listen({port}" in program
        await asyncio.to_thread((project / "service.mjs").write_text, program)
        with run_program(["node", "service.mjs"], project):
            await wait_for_port(f"127.0.0.1:{port}")
            async with httpx.AsyncClient(trust_env=False) as http:
                assert await find_failures(issuing, http, f"http://127.0.0.1:{port}") == []
