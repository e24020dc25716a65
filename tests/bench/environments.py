"""Installs the dependencies of each peer into its own environment, from its lock file."""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.bench.paths import HERE, make_cache_path

PEERS = HERE / "peers"


def install_python_environment(peer: str) -> Path:
    """Install a Python peer if its lock file has changed; return its interpreter."""
    lock, folder = PEERS / peer / "requirements.lock", make_cache_path("environments", peer)
    python = folder / "bin" / "python"
    # All Python contenders run on the same interpreter, so another one needs a new environment.
    stamp = lock.read_bytes() + f"# {sys.base_prefix} {sys.version}\n".encode()
    if _is_outdated(folder / ".installed", stamp):
        print(f"installing {peer}'s dependencies from {lock.name} ...", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        subprocess.run(
            [str(python), "-m", "pip", "install", "-qq",
             "--disable-pip-version-check", "--require-hashes", "--requirement", str(lock)],
            check=True,
        )  # fmt: skip
        (folder / ".installed").write_bytes(stamp)
    return python


def install_node_environment(peer: str) -> Path:
    """Install a Node peer if its lock file has changed; return its folder."""
    source, folder = PEERS / peer, make_cache_path("environments", peer)
    shutil.copytree(source, folder, dirs_exist_ok=True)
    lock = source / "package-lock.json"
    if _is_outdated(folder / ".installed", lock.read_bytes()):
        print(f"installing {peer}'s dependencies from {lock.name} ...", flush=True)
        subprocess.run(["npm", "ci", "--silent"], cwd=folder, check=True)
        (folder / ".installed").write_bytes(lock.read_bytes())
    return folder


def _is_outdated(stamp: Path, expected: bytes) -> bool:
    return not stamp.exists() or stamp.read_bytes() != expected
