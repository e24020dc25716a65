"""`lockgate limits who`: under which policies a caller is limited, and why."""

import argparse
from math import ceil

from gateway.cli.limits.exit_status import ExitStatus
from gateway.cli.limits.ops_address import find_ops_address
from gateway.cli.limits.ops_client import OpsClient
from gateway.cli.limits.override_text import describe_override
from gateway.cli.limits.terminal import format_rows, print_json, to_json
from gateway.cli.standard_streams import print_error
from gateway.ops.models import CallerStanding, Kind, Limit, RuleStanding
from gateway.settings.errors import escape

_HEAD = ("POLICY", "LIMITED", "REMAINING", "OF", "RETRY IN")


def run(options: argparse.Namespace) -> int:
    """Look the caller up under each policy that counts its kind of key."""
    with OpsClient(find_ops_address(options)) as client:
        limits = client.list_limits().limits
        counting = [it for it in limits if _counts(it, options.key)]
        if not counting:
            kinds = ", ".join(sorted({it.in_force.per for it in limits}))
            print_error(escape(f"no policy counts {options.key}; policies count per {kinds}"))
            return ExitStatus.FAILED
        found = [
            (it, client.look_up(it.name, options.key, options.issuer, options.tier))
            for it in counting
        ]
    if options.json:
        print_json({limit.name: to_json(standing) for limit, standing in found})
        return ExitStatus.DONE
    print(format_rows(_HEAD, [_to_row(limit, standing) for limit, standing in found]))
    print()  # the reasons are sentences, which a narrow terminal has no column for
    for limit, standing in found:
        print(escape(f"{limit.name}: {_explain(standing)}"))
    return ExitStatus.DONE


def _counts(limit: Limit, key: str) -> bool:
    """Whether a policy may count a key of this kind; a claim `plan` has keys such as `claim:pro`.

    A caller without the value that a policy counts by is counted by its subject.
    """
    kind, per = key.partition(":")[0], limit.in_force.per.partition(":")[0]
    return kind == per or (kind == "subject" and per != "address")


def _to_row(limit: Limit, standing: CallerStanding) -> tuple[str, ...]:
    # The rule that decides is the one with the longest wait, or with the least left.
    rule = max(standing.rules, key=_order, default=None)
    return (
        limit.name,
        "yes" if standing.limited else "no",
        "-" if rule is None else str(rule.remaining),
        "-" if rule is None else _describe_quota(limit.kind, rule),
        f"{ceil(rule.retry_after_seconds)} s" if rule and standing.limited else "-",
    )


def _explain(standing: CallerStanding) -> str:
    """Return why a caller is limited or not, and what its override is."""
    if standing.override is None:
        return standing.why
    return f"{standing.why} {describe_override(standing.override.model_dump(mode='json'))}."


def _describe_quota(kind: Kind, rule: RuleStanding) -> str:
    if kind == "concurrency":
        return f"{rule.quota} at once"
    return f"{rule.quota} in {rule.window_seconds:g} s"


def _order(rule: RuleStanding) -> tuple[float, int]:
    return (rule.retry_after_seconds, -rule.remaining)
