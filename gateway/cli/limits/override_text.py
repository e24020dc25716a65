"""Describes overrides for people."""

from collections.abc import Mapping
from typing import Any

from gateway.cli.limits.end_time import describe_end
from gateway.cli.limits.limit_document import is_over


def describe_override(override: Mapping[str, Any]) -> str:
    """Return what an override does, and its end: `5 times the limit, until Friday …`."""
    text, until = _describe_kind(override), override.get("until")
    if not until:
        return text
    return f"{text}, until {describe_end(until)}" + (", which has passed" * is_over(override))


def _describe_kind(override: Mapping[str, Any]) -> str:
    match override["kind"]:
        case "block":
            return "blocked"
        case "allow":
            return "never limited"
        case "times":
            return f"{override['times']:g} times the limit"
    rate = override.get("rate")
    return f"{override.get('limit')} at one time" if rate is None else str(rate)
