"""Collects the provenance of results: the commit, the machine and all versions."""

import importlib.metadata
import json
import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.bench.environments import PEERS
from tests.bench.paths import ROOT
from tests.redis_server import find_redis

OURS = ("fastapi", "uvicorn", "uvloop", "httptools", "pydantic", "redis", "hiredis")
PEER_PACKAGES = {
    "usual": ("fastapi", "uvicorn", "uvloop", "httpx", "slowapi", "python-jose", "pydantic"),
    "django": ("django", "gunicorn", "requests", "pyjwt", "django-ratelimit"),
}
NODE_PACKAGES = (
    "fastify", "undici", "@fastify/http-proxy", "@fastify/jwt", "@fastify/rate-limit", "ioredis",
)  # fmt: skip


def collect_provenance(command: str) -> dict[str, Any]:
    """Collect everything that is needed to repeat a measurement."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _describe_commit(),
        "command": command,
        "machine": _describe_machine(),
        "versions": _collect_versions(),
    }


def _describe_commit() -> str:
    """Return the short hash, with a plus sign if the product has uncommitted changes."""
    commit = _run_command("git", "rev-parse", "--short", "HEAD")
    changed = _run_command("git", "status", "--porcelain", "--", "gateway", "clients", "config")
    return f"{commit}+" if changed else commit


def _describe_machine() -> dict[str, str]:
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return {
        "cpu": model[1] if model else platform.machine(),
        "cores": str(os.cpu_count()),
        "kernel": platform.release().split("-")[0],
        "system": platform.freedesktop_os_release()["PRETTY_NAME"],
    }


def _collect_versions() -> dict[str, dict[str, str]]:
    ours = {name: importlib.metadata.version(name) for name in OURS}
    python = f"{platform.python_version()} ({platform.python_compiler()})"
    found = {"lockgate": {"Python": python, **ours}}
    for peer, names in PEER_PACKAGES.items():
        found[peer] = {name: _find_locked_version(peer, name) for name in names}
    packages = json.loads((PEERS / "node" / "package-lock.json").read_text())["packages"]
    found["node"] = {"Node": _run_command("node", "--version").removeprefix("v")} | {
        name: packages[f"node_modules/{name}"]["version"] for name in NODE_PACKAGES
    }
    locked = json.loads((PEERS / "oidc" / "package-lock.json").read_text())["packages"]
    found["node"]["oidc-provider"] = locked["node_modules/oidc-provider"]["version"]
    redis = re.search(r"v=(\S+)", _run_command(find_redis(), "--version"))
    found["around"] = {
        "Redis": redis[1] if redis else "",
        "gcc": _run_command("gcc", "-dumpfullversion"),
        "nginx": _read_nginx_version(),
    }
    return found


def _read_nginx_version() -> str:
    shown = subprocess.run(["nginx", "-v"], capture_output=True, text=True, check=True).stderr
    return shown.strip().rpartition("/")[2]


def _find_locked_version(peer: str, name: str) -> str:
    lock = (PEERS / peer / "requirements.lock").read_text()
    versions = re.findall(rf"^{name}==(\S+)(?: ; (.*?))? \\$", lock, re.MULTILINE)
    found: str = next(version for version, marker in versions if _applies_here(marker))
    return found


def _applies_here(marker: str) -> bool:
    """Evaluate a marker; in these lock files it can only compare the Python version."""
    bound = re.fullmatch(r"python_full_version (<|>=) '(\d+)\.(\d+)'", marker)
    if not bound:
        return True
    reached = tuple(map(int, platform.python_version_tuple()[:2])) >= (int(bound[2]), int(bound[3]))
    return reached == (bound[1] == ">=")


def _run_command(*arguments: str) -> str:
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()
