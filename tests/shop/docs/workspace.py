"""A copy of the project in which tests create and run the files of a page."""

import json
import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

from tests.docs.project import ROOT
from tests.running_demo import Demo, run_demo

PACKAGES = ("clients", "config", "gateway")


def copy_to(folder: Path, files: Mapping[str, str]) -> None:
    """Copy the packages into `folder`, then write `files`, given as path and text."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package)
    shutil.copy(ROOT / "pyproject.toml", folder)
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


@contextmanager
def start_demo(folder: Path = ROOT, **variables: str) -> Iterator[Demo]:
    """Run the demo of `folder` on free ports until the block ends."""
    yield from run_demo(variables, folder)


@contextmanager
def serve_json(document: object) -> Iterator[str]:
    """Serve `document` as JSON to every GET on a real socket; yields the base URL."""

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
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
