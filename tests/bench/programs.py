"""Compiles the two C programs of the benchmark when their sources have changed."""

import subprocess
from pathlib import Path

from tests.bench.paths import HERE, make_cache_path

SOURCES = HERE / "native"
PROGRAMS = {"upstream": ("upstream.c",), "load": ("load.c", "client.c", "latencies.c")}
FLAGS = ("-O2", "-Wall", "-Wextra", "-Werror")


def compile_program(name: str) -> Path:
    """Compile a program if it is outdated; return its path.

    Raises:
        FileNotFoundError: gcc is not installed.
        subprocess.CalledProcessError: the compilation fails.
    """
    binary = make_cache_path("bin", name)
    newest = max(source.stat().st_mtime for source in SOURCES.iterdir())
    if not binary.exists() or binary.stat().st_mtime < newest:
        sources = [str(SOURCES / source) for source in PROGRAMS[name]]
        subprocess.run(["gcc", *FLAGS, "-o", str(binary), *sources, "-lm"], check=True)
    return binary
