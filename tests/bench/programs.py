"""The two C programs of the benchmark, compiled when their sources have changed."""

import subprocess
from pathlib import Path

from tests.bench.place import HERE, built

SOURCES = HERE / "native"
PROGRAMS = {"upstream": ("upstream.c",), "load": ("load.c", "client.c", "latencies.c")}
FLAGS = ("-O2", "-Wall", "-Wextra", "-Werror")


def program(name: str) -> Path:
    """The compiled program.

    Raises:
        FileNotFoundError: there is no gcc.
        subprocess.CalledProcessError: it does not compile.
    """
    binary = built("bin", name)
    newest = max(source.stat().st_mtime for source in SOURCES.iterdir())
    if not binary.exists() or binary.stat().st_mtime < newest:
        sources = [str(SOURCES / source) for source in PROGRAMS[name]]
        subprocess.run(["gcc", *FLAGS, "-o", str(binary), *sources, "-lm"], check=True)
    return binary
