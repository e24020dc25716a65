"""Runs nginx, HAProxy or Caddy in front of a gateway, with a configuration of its own."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.redis_server import find_free_port

TIMEOUT_SECONDS = 60

# Debian keeps servers outside the PATH of users. The packages of the tests bring Caddy.
_PATH = os.pathsep.join(
    [os.environ["PATH"], "/usr/sbin", "/usr/local/sbin", str(Path(sys.executable).parent)]
)

NGINX = """
daemon off;
master_process off;
pid nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    {http}
}}
"""

HAPROXY = """
defaults
    mode http
    timeout connect 5s
    timeout client 5s
    timeout server 5s
{sections}
"""

CADDY = """
{{
    admin off
    auto_https off
    persist_config off
}}
{sites}
"""


@dataclass(frozen=True)
class Proxy:
    """A running proxy; `ports` are those that its configuration names."""

    ports: tuple[int, ...]


def find_program(name: str) -> str:
    """Find a proxy. The test is skipped if it is not installed."""
    program = shutil.which(name, path=_PATH)
    if program is None:
        pytest.skip(f"{name} is not installed (on Debian: apt-get install {name})")
    return program


def run_nginx(folder: Path, http: str, port_count: int = 1) -> AbstractContextManager[Proxy]:
    """Run nginx. PORT0, PORT1 ... in `http`, the content of its `http` block, become free ports."""
    options = ["-p", str(folder), "-c"]
    return _run("nginx", options, NGINX.format(http=http), folder, port_count)


def run_haproxy(folder: Path, sections: str, port_count: int = 1) -> AbstractContextManager[Proxy]:
    """Run HAProxy."""
    return _run("haproxy", ["-db", "-f"], HAPROXY.format(sections=sections), folder, port_count)


def run_caddy(folder: Path, sites: str, port_count: int = 1) -> AbstractContextManager[Proxy]:
    """Run Caddy."""
    options = ["run", "--adapter", "caddyfile", "--config"]
    return _run("caddy", options, CADDY.format(sites=sites), folder, port_count)


def _fill_ports(text: str, count: int) -> tuple[str, tuple[int, ...]]:
    ports = tuple(find_free_port() for _ in range(count))
    for index, port in enumerate(ports):
        text = text.replace(f"PORT{index}", str(port))
    return text, ports


@contextmanager
def _run(
    name: str, options: list[str], text: str, folder: Path, port_count: int
) -> Iterator[Proxy]:
    """Run a proxy until the block ends; wait until it listens on all ports.

    Its configuration `text` becomes a file, whose path follows `options`.
    """
    text, ports = _fill_ports(text, port_count)
    file, log = folder / f"{name}.conf", folder / "proxy.log"
    file.write_text(text)
    command = [find_program(name), *options, str(file)]
    environment = {"PATH": _PATH, "HOME": str(folder), "XDG_DATA_HOME": str(folder)}
    with (
        log.open("w") as output,
        subprocess.Popen(
            command, cwd=folder, env=environment, stdout=output, stderr=output
        ) as process,
    ):
        try:
            deadline = time.monotonic() + TIMEOUT_SECONDS
            while not all(map(_is_listening, ports)):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.01)
            yield Proxy(ports)
        finally:
            process.kill()


def _is_listening(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
