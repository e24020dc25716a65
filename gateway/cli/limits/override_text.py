"""Describes overrides for people."""

from collections.abc import Mapping
from typing import Any

from gateway.cli.limits.end_time import describe_end


def describe_override(override: Mapping[str, Any]) -> str:
    """Return what an override does, and its end: `5 times the limit, until Friday …`."""
    until = override.get("until")
    return _describe_kind(override) + (f", until {describe_end(until)}" if until else "")


def _describe_kind(override: Mapping[str, Any]) -> str:
    match override["kind"]:
        case "block":
            return "blocked"
        case "allow":
            return "never limited"
        case "times":
            return f"{override['times']:g} times the limit"
    rate = override.get("rate")
    return f"{override.get('limit')} at once" if rate is None else str(rate)
