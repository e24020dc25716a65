"""Says what the end of a change does to the live values that the change does not name."""

from collections.abc import Iterator

from gateway.cli.limits.limit_document import VALUES, Document, format_value
from gateway.ops.models import Limit
from gateway.settings.errors import escape


def describe_common_end(limit: Limit, patch: Document) -> str:
    """Say which other values get the end of the patch, or lose theirs; "" if none does."""
    live = limit.live or {}
    former, coming = live.get("until"), patch.get("until")
    others = list(_iter_others(live, patch))
    if not others or former == coming:
        return ""
    names = escape(", ".join(others))
    if coming is not None:
        return f"All live values have one end, so this is also the end of {names}."
    return f"Without --until, nothing ends: {names} will stay. To keep the end: --until {former}"


def _iter_others(live: Document, patch: Document) -> Iterator[str]:
    """Yield the live values that stay, such as `rate 60/minute`."""
    for name in VALUES:
        value, change = live.get(name), patch.get(name)
        if isinstance(value, dict):
            value = {tier: rate for tier, rate in value.items() if tier not in (change or {})}
        elif name in patch:
            continue
        if value not in (None, {}):
            yield f"{name} {format_value(value)}"
