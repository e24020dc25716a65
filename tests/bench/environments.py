"""The peers' dependencies: each its own environment, filled from its lock file on first use."""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.bench.place import HERE, built

PEERS = HERE / "peers"


def python_environment(peer: str) -> Path:
    """The Python of a peer, with all that it needs; hashes are checked."""
    lock, folder = PEERS / peer / "requirements.lock", built("environments", peer)
    python = folder / "bin" / "python"
    # Another interpreter, another environment: all Python contenders run on the same build.
    stamp = lock.read_bytes() + f"# {sys.base_prefix} {sys.version}\n".encode()
    if _is_new(folder / ".installed", stamp):
        print(f"installing {peer}'s dependencies from {lock.name} ...", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        subprocess.run(
            [str(python), "-m", "pip", "install", "-qq",
             "--disable-pip-version-check", "--require-hashes", "--requirement", str(lock)],
            check=True,
        )  # fmt: skip
        (folder / ".installed").write_bytes(stamp)
    return python


def node_environment(peer: str) -> Path:
    """A folder with the sources of a Node peer and its dependencies, as the lock file has them."""
    source, folder = PEERS / peer, built("environments", peer)
    shutil.copytree(source, folder, dirs_exist_ok=True)
    lock = source / "package-lock.json"
    if _is_new(folder / ".installed", lock.read_bytes()):
        print(f"installing {peer}'s dependencies from {lock.name} ...", flush=True)
        subprocess.run(["npm", "ci", "--silent"], cwd=folder, check=True)
        (folder / ".installed").write_bytes(lock.read_bytes())
    return folder


def _is_new(stamp: Path, wanted: bytes) -> bool:
    return not stamp.exists() or stamp.read_bytes() != wanted
