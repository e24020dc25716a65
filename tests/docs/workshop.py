"""A copy of the product in which a page's files are written and tried."""

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

from tests.docs.project import ROOT, bare_environment
from tests.running_demo import Demo, run_demo

PACKAGES = ("clients", "config", "gateway")


def copy_to(folder: Path, files: Mapping[str, str]) -> None:
    """Copy the packages, and write `files` among them."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package)
    shutil.copy(ROOT / "pyproject.toml", folder)
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def run(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """`python` with those arguments in a copy, on the copy's own packages."""
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, check=False, timeout=50,
        env=bare_environment(PYTHONPATH=str(folder), **variables), capture_output=True, text=True,
    )  # fmt: skip


@contextmanager
def demo(folder: Path = ROOT, **variables: str) -> Iterator[Demo]:
    """Run the demo from that folder on free ports, until the block ends."""
    yield from run_demo(variables, folder)


@contextmanager
def json_service(document: object) -> Iterator[str]:
    """A service on a real socket that answers every GET with that JSON; gives its base URL."""

    class Service(BaseHTTPRequestHandler):
        body: ClassVar[bytes] = json.dumps(document).encode()

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(self.body)))
            self.end_headers()
            self.wfile.write(self.body)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            serving.join()
