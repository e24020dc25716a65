"""Where the benchmark keeps what it builds, and where its results go."""

from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

RESULTS = ROOT / "docs" / "benchmarks" / "results.json"
PICTURES = ROOT / "docs" / "benchmarks"
PAGE = ROOT / "docs" / "benchmarks.md"


def built(*names: str) -> Path:
    """A path in the folder for what is built or installed here; git does not see it."""
    top = ROOT / ".bench_cache"
    if not top.is_dir():
        top.mkdir()
        (top / ".gitignore").write_text("*\n")
    path = top.joinpath(*names)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
