"""The live document of a policy: what a change makes of it, and which values are then in force."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from gateway.ops.models import Limit, Values

Document = Mapping[str, Any]

VALUES = ("rate", "limit", "burst", "shadow", "tiers", "prefetch")
"""The fields of a live document that have a value of the policy."""


_MAX_OVERRIDES = 3


def merge(document: Document, patch: Document) -> dict[str, Any]:
    """Merge a patch into a document: null removes a member (RFC 7396)."""
    merged = dict(document)
    for name, value in patch.items():
        former = merged.get(name)
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, Mapping):
            merged[name] = merge(former if isinstance(former, Mapping) else {}, value)
        else:
            merged[name] = value
    return merged


def find_values(limit: Limit, document: Document) -> dict[str, Any]:
    """Return the values that are in force with a document: live beats settings beats code."""
    live = {} if is_over(document) else document
    values = {name: _find_value(limit, live, name) for name in VALUES}
    settings = {} if limit.settings is None else limit.settings.tiers
    values["tiers"] = {**limit.declared.tiers, **settings, **live.get("tiers", {})}
    return values


def is_over(document: Document) -> bool:
    """Whether the end of the values of a document has come."""
    until = document.get("until")
    return until is not None and datetime.fromisoformat(until) <= datetime.now(UTC)


def get_values(values: Values) -> dict[str, Any]:
    """Return the values that a document can set."""
    return {name: getattr(values, name) for name in VALUES}


def to_proposal(document: Document) -> dict[str, Any]:
    """Return a document as a simulation takes it: without the names of the callers."""
    overrides = document.get("overrides") or {}
    sent = {
        key: {name: value for name, value in override.items() if name != "caller"}
        for key, override in overrides.items()
    }
    return {**document, "overrides": sent}


def describe_document(document: Document) -> str:
    """Return what a live document sets, in a few words."""
    values = [f"{it} {format_value(document[it])}" for it in VALUES if it in document]
    until = [f"until {document['until']}"] if "until" in document else []
    listed = [
        f"override {it.get('caller') or key} {it['kind']}"
        for key, it in (document.get("overrides") or {}).items()
    ]
    if len(listed) > _MAX_OVERRIDES:
        listed[_MAX_OVERRIDES:] = [f"{len(listed) - _MAX_OVERRIDES} more"]
    return ", ".join([*values, *until, *listed])


def format_value(value: object) -> str:
    """Format a value of a policy for people."""
    match value:
        case None:
            return "-"
        case bool():
            return "on" if value else "off"
        case dict():
            return ", ".join(f"{tier} {rate}" for tier, rate in value.items()) or "-"
    return str(value)


def _find_value(limit: Limit, document: Document, name: str) -> object:
    of_settings = None if limit.settings is None else getattr(limit.settings, name)
    below: object = getattr(limit.declared, name) if of_settings is None else of_settings
    live = document.get(name)
    if live is None:
        return below
    return {**below, **live} if isinstance(below, dict) else live
