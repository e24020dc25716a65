"""`lockgate limits show`: one policy, where its values come from, and its overrides."""

import argparse
from collections.abc import Iterator
from datetime import UTC, datetime

from gateway.cli.limits.change import describe_limit
from gateway.cli.limits.end_time import describe_end, format_time_left
from gateway.cli.limits.exit_status import ExitStatus
from gateway.cli.limits.limit_document import VALUES, format_value
from gateway.cli.limits.ops_address import find_ops_address
from gateway.cli.limits.ops_client import OpsClient
from gateway.cli.limits.override_text import describe_override
from gateway.cli.limits.terminal import format_rows, print_json, to_json
from gateway.cli.time_format import format_time
from gateway.ops.models import Limit, Override
from gateway.settings.errors import escape

_HEAD = ("", "IN FORCE", "LIVE", "SETTINGS", "CODE")
_OVERRIDES_HEAD = ("KEY", "CALLER", "ENDS IN", "OVERRIDE", "REASON")

_SOURCES = {"code": "the code", "settings": "the settings", "live": "the live document"}


def run(options: argparse.Namespace) -> int:
    """Print all that is known of a policy."""
    with OpsClient(find_ops_address(options)) as client:
        limit = client.get_limit(options.name)
    if options.json:
        print_json(to_json(limit))
    else:
        print("\n".join(_iter_lines(limit)))
    return ExitStatus.DONE


def _iter_lines(limit: Limit) -> Iterator[str]:
    values = limit.in_force
    yield f"{limit.name}: {describe_limit(limit)}, per {escape(values.per)}"
    yield f"version {limit.version}, with the values of {_SOURCES[limit.source]}"
    if limit.changed is not None:
        at = format_time(limit.changed.at.timestamp())
        yield escape(f"changed {at} by {limit.changed.by}: {limit.changed.reason}")
    until = (limit.live or {}).get("until")
    if until:
        left = format_time_left(datetime.fromisoformat(until), datetime.now(UTC))
        yield f"until {describe_end(until)}, in {left}"
    if limit.fault is not None:
        yield escape(f"the live document is not in force: {limit.fault}")
    yield escape(f"without Redis: {values.without_redis}; cost of a request: {values.cost}")
    if values.tier_claim is not None:
        yield escape(f"the tier of a caller is its claim {values.tier_claim}")
    yield ""
    value_rows = [_to_row(limit, name) for name in VALUES]
    yield format_rows(_HEAD, [it for it in value_rows if set(it[1:]) != {"-"}])
    if limit.overrides:
        rows = map(_to_override_row, limit.overrides)
        yield f"\n{format_rows(_OVERRIDES_HEAD, rows)}"


def _to_override_row(override: Override) -> tuple[str, ...]:
    until = override.until
    left = "-" if until is None else format_time_left(until, datetime.now(UTC))
    text = describe_override(override.model_dump(mode="json"))
    return (override.key, override.caller or "-", left, text, override.reason)


def _to_row(limit: Limit, name: str) -> tuple[str, ...]:
    of_settings = None if limit.settings is None else getattr(limit.settings, name)
    live = (limit.live or {}).get(name)
    values = (getattr(limit.in_force, name), live, of_settings, getattr(limit.declared, name))
    return (name, *map(format_value, values))
