"""Runs npm in a copy of the example."""

import subprocess
from pathlib import Path

TIMEOUT_SECONDS = 240
UNREACHABLE = ("EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ENETUNREACH", "ENOTFOUND", "ETIMEDOUT")
"""The errors of npm that mean that its registry cannot be reached."""


def run_npm(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run npm to its end."""
    return subprocess.run(
        ["npm", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
