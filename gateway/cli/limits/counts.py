"""Says which counts of callers go on after a change, and which restart.

The key of a count has its window and its algorithm (`Rule.key_suffix`), so that another quota keeps
what was used, and another window or algorithm begins with nothing used.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.cli.limits.limit_document import Document, find_values, get_values
from gateway.ops.models import Limit
from gateway.settings.errors import escape
from gateway.settings.rate import parse_rates

_Counts = frozenset[tuple[int, bool]]
"""The windows in seconds, each with whether it is counted as a steady rate (GCRA)."""

_GO_ON = "Counts go on: each caller keeps what it has used."
_RESTART = "Counts restart: each caller begins with an unused quota."


def describe_counts(limit: Limit, document: Document) -> str:
    """Say what a policy with this live document does to the counts of the callers."""
    if limit.kind == "concurrency":
        return _GO_ON
    former, coming = get_values(limit.in_force), find_values(limit, document)
    if _restarts(former, coming):
        return _RESTART
    names = [f"of the tier {it}" for it in _iter_tiers(former, coming)]
    overrides = (limit.live or {}).get("overrides") or {}, document.get("overrides") or {}
    names += [f"of {it}" for it in _iter_keys(former, coming, *overrides)]
    if names:
        return escape(f"The counts {', '.join(names)} alone restart, with an unused quota.")
    return _GO_ON


def _restarts(former: Mapping[str, Any], coming: Mapping[str, Any]) -> bool:
    return not _list_counts(coming, coming["rate"]) <= _list_counts(former, former["rate"])


def _iter_tiers(former: Mapping[str, Any], coming: Mapping[str, Any]) -> Iterator[str]:
    """Yield the tiers whose counts restart; a new tier is counted as the others before."""
    for tier, rate in coming["tiers"].items():
        before = former["tiers"].get(tier, former["rate"])
        if not _list_counts(coming, rate) <= _list_counts(former, before):
            yield tier


def _iter_keys(
    former: Mapping[str, Any], coming: Mapping[str, Any], before: Document, after: Document
) -> Iterator[str]:
    """Yield the callers whose counts restart because of an override of their own."""
    for key in {**before, **after}:
        old, new = before.get(key, {}), after.get(key, {})
        counts = _list_counts(coming, new.get("rate") or coming["rate"])
        if not counts <= _list_counts(former, old.get("rate") or former["rate"]):
            yield new.get("caller") or old.get("caller") or key


def _list_counts(values: Mapping[str, Any], rate: str) -> _Counts:
    return frozenset(
        (it.window, bool(values["burst"]) and not index)
        for index, it in enumerate(parse_rates(rate))
    )
