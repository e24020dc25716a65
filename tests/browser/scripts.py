"""Runs the scripts that drive Chromium, and serves the page that they open."""

import asyncio
import json
from pathlib import Path
from typing import Any

from starlette.responses import HTMLResponse
from starlette.types import Receive, Scope, Send

TIMEOUT_SECONDS = 240


async def run_script(folder: Path, name: str, **options: object) -> Any:
    """Run a script of this folder, and return the JSON that it prints."""
    process = await asyncio.create_subprocess_exec(
        "node",
        name,
        json.dumps(options),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(TIMEOUT_SECONDS):
        output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return json.loads(output)


async def serve_page(scope: Scope, receive: Receive, send: Send) -> None:
    """An empty page of another origin."""
    await HTMLResponse("<!doctype html><title>a page</title>")(scope, receive, send)
