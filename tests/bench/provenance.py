"""Where results come from: the commit, the machine, the versions of what was measured."""

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
from tests.bench.place import ROOT
from tests.redis_server import find_redis

OURS = ("fastapi", "uvicorn", "uvloop", "httptools", "pydantic", "redis", "hiredis")
PEER_PACKAGES = {
    "usual": ("fastapi", "uvicorn", "uvloop", "httpx", "slowapi", "python-jose", "pydantic"),
    "django": ("django", "gunicorn", "requests", "pyjwt", "django-ratelimit"),
}
NODE_PACKAGES = ("fastify", "undici", "@fastify/jwt", "@fastify/rate-limit", "ioredis")


def provenance(command: str) -> dict[str, Any]:
    """Everything one needs to know to measure the same again."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "command": command,
        "machine": _machine(),
        "versions": _versions(),
    }


def _commit() -> str:
    """The short hash, with a plus if the product has been changed since."""
    commit = _said("git", "rev-parse", "--short", "HEAD")
    changed = _said("git", "status", "--porcelain", "--", "gateway", "clients", "config")
    return f"{commit}+" if changed else commit


def _machine() -> dict[str, str]:
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return {
        "cpu": model[1] if model else platform.machine(),
        "cores": str(os.cpu_count()),
        "kernel": platform.release().split("-")[0],
        "system": platform.freedesktop_os_release()["PRETTY_NAME"],
    }


def _versions() -> dict[str, dict[str, str]]:
    ours = {name: importlib.metadata.version(name) for name in OURS}
    python = f"{platform.python_version()} ({platform.python_compiler()})"
    found = {"lockgate": {"Python": python, **ours}}
    for peer, names in PEER_PACKAGES.items():
        found[peer] = {name: _locked(peer, name) for name in names}
    packages = json.loads((PEERS / "node" / "package-lock.json").read_text())["packages"]
    found["node"] = {"Node": _said("node", "--version").removeprefix("v")} | {
        name: packages[f"node_modules/{name}"]["version"] for name in NODE_PACKAGES
    }
    redis = re.search(r"v=(\S+)", _said(find_redis(), "--version"))
    found["around"] = {"Redis": redis[1] if redis else "", "gcc": _said("gcc", "-dumpfullversion")}
    return found


def _locked(peer: str, name: str) -> str:
    lock = (PEERS / peer / "requirements.lock").read_text()
    versions = re.findall(rf"^{name}==(\S+)(?: ; (.*?))? \\$", lock, re.MULTILINE)
    found: str = next(version for version, marker in versions if _applies(marker))
    return found


def _applies(marker: str) -> bool:
    """Locks tell versions apart by the Python's only."""
    bound = re.fullmatch(r"python_full_version (<|>=) '(\d+)\.(\d+)'", marker)
    if not bound:
        return True
    reached = tuple(map(int, platform.python_version_tuple()[:2])) >= (int(bound[2]), int(bound[3]))
    return reached == (bound[1] == ">=")


def _said(*words: str) -> str:
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()
