"""Runs the scripts that drive Chromium, and serves the page that they open."""

import asyncio
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from starlette.responses import HTMLResponse
from starlette.types import Receive, Scope, Send

from tests.typescript.npm import UNREACHABLE

FOLDER = Path(__file__).parent
TIMEOUT_SECONDS = 240


class NotAvailable(Exception):
    """Something that the scripts need is not on this machine."""


def find_chromium() -> str:
    """Return the path of Chromium."""
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chrome")
    if found is None:
        raise NotAvailable("Chromium is not installed")
    return found


def copy_scripts(folder: Path) -> Path:
    """Copy the scripts to a folder, and install the packages of their lock file there."""
    if shutil.which("npm") is None:
        raise NotAvailable("npm is not installed")
    ignore = shutil.ignore_patterns("node_modules", "__pycache__", "*.py")
    shutil.copytree(FOLDER, folder, ignore=ignore)
    installed = subprocess.run(
        ["npm", "ci", "--prefer-offline"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    if installed.returncode and any(code in installed.stderr for code in UNREACHABLE):
        raise NotAvailable("the registry of npm is unreachable")
    assert installed.returncode == 0, installed.stderr
    return folder


async def run_script(folder: Path, script: str, **options: object) -> Any:
    """Run a script of this folder, and return the JSON that it prints."""
    process = await asyncio.create_subprocess_exec(
        "node",
        script,
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
