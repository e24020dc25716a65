"""Makes a change: shows what is in force and what will be, simulates it, asks, and sends it.

The change is based on the version that was shown, so it never overwrites that of another operator.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateway.cli.limits.counts import describe_counts
from gateway.cli.limits.effect_text import describe_effect
from gateway.cli.limits.end_text import describe_common_end
from gateway.cli.limits.end_time import describe_end
from gateway.cli.limits.exit_status import ExitStatus
from gateway.cli.limits.limit_document import (
    Document,
    find_values,
    format_value,
    get_values,
    is_over,
    merge,
    to_proposal,
)
from gateway.cli.limits.ops_client import OpsClient
from gateway.cli.limits.ops_refusal import NoSimulation, OpsClientError, OpsRefusal, StaleVersion
from gateway.cli.limits.override_text import describe_override
from gateway.cli.limits.redis_notice import warn_of_lost_redis
from gateway.cli.limits.terminal import (
    choose_stream,
    confirm,
    explain_interrupt,
    format_rows,
    print_declined,
    print_json,
    to_json,
)
from gateway.cli.standard_streams import print_error
from gateway.ops.models import Limit, SimulationResult
from gateway.settings.errors import escape

_MAX_KEYS = 5
_ABSENT = "-"
_TIER = "tier "
_OF_ALL_CALLERS = frozenset({"rate", "limit", "burst", "shadow", "until"})
"""The rows that `describe_limit` describes, and their end."""

_Difference = tuple[str, str, str]
"""A value that differs: its name, the one in force, and the one to come."""


@dataclass(frozen=True, slots=True)
class ProposedChange:
    """The policy as it was shown, the live document that it will have, and what puts it there.

    `note` is a line for the operator to read before the confirmation.
    """

    limit: Limit
    document: Document
    send: Callable[[], Limit]
    note: str = ""


def change_limit(
    options: argparse.Namespace, client: OpsClient, limit: Limit, patch: Document
) -> ExitStatus:
    """Merge a patch into the live document of a policy."""
    body = {**patch, "reason": options.reason}

    def send() -> Limit:
        return client.change_limit(limit.name, body, version=limit.version)

    document, note = merge(limit.live or {}, patch), describe_common_end(limit, patch)
    return make_change(options, client, ProposedChange(limit, document, send, note))


def make_change(
    options: argparse.Namespace, client: OpsClient, proposal: ProposedChange
) -> ExitStatus:
    """Show the change and its simulated effect, ask, and send it.

    Raises:
        OpsClientError: the ops app has refused; nothing is changed.
    """
    limit, stream = proposal.limit, choose_stream(options)
    warn_of_lost_redis(client)
    rows = _list_differences(proposal)
    print(_describe_policy(limit), file=stream)
    if not rows:
        print("Nothing will differ: no version is written.", file=stream)
        return _finish(options, proposal, limit, None, rows)
    print(format_rows(("", "IN FORCE NOW", "WILL BE"), rows), file=stream)
    if proposal.note:
        print(proposal.note, file=stream)
    simulation = None if options.no_simulation else _simulate(client, proposal)
    if isinstance(simulation, OpsClientError):
        print(f"No simulation: {'; '.join(simulation.messages)}", file=stream)
    elif simulation is not None:
        print(*describe_effect(simulation, _MAX_KEYS), sep="\n", file=stream)
    print(describe_counts(limit, proposal.document), file=stream)
    if not confirm(options, f"Change {limit.name}?"):
        return print_declined()
    try:
        with explain_interrupt(f"{limit.name} may be changed: see `lockgate limits history`"):
            changed = proposal.send()
    except StaleVersion:
        return _explain_conflict(client, limit)
    found = simulation if isinstance(simulation, SimulationResult) else None
    return _finish(options, proposal, changed, found, rows)


def describe_limit(limit: Limit) -> str:
    """Return what a policy allows, such as `10/second, 120/minute (shadow)`."""
    values = limit.in_force
    text = f"{values.limit} at one time" if values.rate is None else values.rate
    burst = f", burst {values.burst}" if values.burst else ""
    return escape(text + burst) + (" (shadow)" if values.shadow else "")


def _finish(
    options: argparse.Namespace,
    proposal: ProposedChange,
    after: Limit,
    simulation: SimulationResult | None,
    differences: Sequence[_Difference],
) -> ExitStatus:
    """Print the policy as it is now: what it allows, or the tiers and overrides that differ."""
    if options.json:
        found = None if simulation is None else to_json(simulation)
        before = to_json(proposal.limit)
        print_json({"before": before, "after": to_json(after), "simulation": found})
    else:
        result = _describe_result(after, differences)
        print(f"{after.name} is at version {after.version}: {result}")
    return ExitStatus.DONE


def _describe_result(after: Limit, differences: Sequence[_Difference]) -> str:
    parts = [
        escape(_describe_part(name, coming))
        for name, _, coming in differences
        if name not in _OF_ALL_CALLERS
    ]
    if len(parts) < len(differences) or not parts:
        parts.insert(0, describe_limit(after))
    return ", ".join(parts)


def _describe_part(name: str, coming: str) -> str:
    """Describe a tier or an override as it is now."""
    if coming != _ABSENT:
        return f"{name} {coming}"
    return f"{name} removed" if name.startswith(_TIER) else f"{name} without an override"


def _describe_policy(limit: Limit) -> str:
    return (
        f"{limit.name}, version {limit.version} ({limit.source}), per {escape(limit.in_force.per)}"
    )


def _list_differences(proposal: ProposedChange) -> list[_Difference]:
    limit = proposal.limit
    former = _list_rows(get_values(limit.in_force), limit.live or {})
    coming = _list_rows(find_values(limit, proposal.document), proposal.document)
    names = [it for it in {**former, **coming} if former.get(it) != coming.get(it)]
    return [(it, former.get(it, _ABSENT), coming.get(it, _ABSENT)) for it in names]


def _list_rows(values: Document, document: Document) -> dict[str, str]:
    """Return the rows of the table for the values, each tier, their end, and each override."""
    rows = {name: format_value(value) for name, value in values.items() if name != "tiers"}
    rows |= {f"{_TIER}{name}": str(rate) for name, rate in values["tiers"].items()}
    rows["until"] = _describe_until(document)
    overrides = document.get("overrides") or {}
    return rows | {
        override.get("caller") or key: describe_override(override)
        for key, override in overrides.items()
    }


def _describe_until(document: Document) -> str:
    if document.get("until") is None:
        return "no end"
    return f"{describe_end(document['until'])}{', which has passed' if is_over(document) else ''}"


@explain_interrupt("nothing is changed")
def _simulate(client: OpsClient, proposal: ProposedChange) -> SimulationResult | OpsClientError:
    """Simulate the change; return the error if that is impossible now.

    Raises:
        OpsRefusal: the change itself is not valid, or the token is refused.
    """
    try:
        return client.simulate(proposal.limit.name, to_proposal(proposal.document))
    except OpsClientError as error:
        is_refused = isinstance(error, OpsRefusal) and error.status < 500
        if is_refused and not isinstance(error, NoSimulation):
            raise
        return error


def _explain_conflict(client: OpsClient, shown: Limit) -> ExitStatus:
    """Say who has changed the policy since it was shown."""
    current = client.get_limit(shown.name)
    author = ""
    if current.changed is not None:
        author = f" by {escape(current.changed.by)}: {escape(current.changed.reason)}"
    print_error(
        f"{shown.name} was changed after it was shown (version {shown.version}), to version "
        f"{current.version}{author}. It allows {describe_limit(current)} now; nothing of this "
        "change is in force. Run the command again to see its effect on this version."
    )
    return ExitStatus.CONFLICT
