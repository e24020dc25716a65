"""The results file: every section as it was last measured whole, with where that came from."""

import json
from pathlib import Path
from typing import Any

Results = dict[str, Any]


def read(path: Path) -> Results:
    """What is there; nothing if nothing is."""
    found: Results = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found


def add(path: Path, measured: Results) -> Results:
    """Lay sections over those that are there, figures rounded to the four digits they are worth."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kept: Results = read(path) | _rounded(measured)
    path.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    return kept


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_rounded(inner) for inner in value]
    return value
