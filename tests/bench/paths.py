"""Paths of the benchmark: its sources, its build cache and its results."""

from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

RESULTS = ROOT / "docs" / "benchmarks" / "results.json"
CHARTS = ROOT / "docs" / "benchmarks"
PAGE = ROOT / "docs" / "benchmarks.md"


def make_cache_path(*names: str) -> Path:
    """Return a path in the build cache, which git ignores; create its folder."""
    top = ROOT / ".bench_cache"
    if not top.is_dir():
        top.mkdir()
        (top / ".gitignore").write_text("*\n")
    path = top.joinpath(*names)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
