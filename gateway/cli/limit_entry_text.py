"""Describes an entry of the journal about live limits in one line, for a table."""

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.ratelimit.live.stored_limit import CHANGE, RESET, ROLLBACK
from gateway.storage.journal import Change

_MAX_PARTS = 4


def describe_entry(change: Change) -> str:
    """Return what an entry changes, such as `version 7: rate 30/minute`; "" for other actions."""
    details = change.details
    if change.action == RESET:
        return f"the counts of {details.get('key')}"
    if change.action == ROLLBACK:
        return f"version {details.get('version')}, as version {details.get('to_version')}"
    if change.action != CHANGE:
        return ""
    former, document = _get_document(details, "from"), _get_document(details, "to")
    parts = list(_iter_values(former, document)) or ["no change"]
    if len(parts) > _MAX_PARTS:
        parts[_MAX_PARTS:] = [f"{len(parts) - _MAX_PARTS} more"]
    return f"version {details.get('version')}: {', '.join(parts)}"


def _get_document(details: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    document = details.get(name)
    return document if isinstance(document, Mapping) else {}


def _iter_values(former: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[str]:
    """Yield the fields that differ, overrides and tiers one by one."""
    for prefix, before, after in (
        ("", former, document),
        ("tier ", former.get("tiers", {}), document.get("tiers", {})),
        ("override ", former.get("overrides", {}), document.get("overrides", {})),
    ):
        for name in sorted({*before, *after} - {"tiers", "overrides"}):
            if before.get(name) != after.get(name):
                yield f"{prefix}{name} {_format(after.get(name))}"


def _format(value: object) -> str:
    if value is None:
        return "removed"
    if not isinstance(value, Mapping):
        return str(value).lower() if isinstance(value, bool) else str(value)
    shown = [str(value[name]) for name in ("kind", "rate", "limit", "times") if name in value]
    if "until" in value:
        shown.append(f"until {value['until']}")
    return " ".join(shown)
