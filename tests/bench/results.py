"""Reads and updates the results file: the last complete result of each section."""

import json
from pathlib import Path
from typing import Any

Results = dict[str, Any]


def read(path: Path) -> Results:
    """Read the results; an absent file is an empty one."""
    found: Results = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found


def add(path: Path, measured: Results) -> Results:
    """Store the measured sections and keep the others; figures are rounded to four digits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kept: Results = read(path) | _round(measured)
    path.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    return kept


def _round(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {key: _round(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_round(inner) for inner in value]
    return value
