"""docs/benchmarks.md."""

from typing import Any


def write(results: dict[str, Any]) -> None:
    """Write the page."""
