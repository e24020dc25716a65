"""`lockgate limits override`: another limit for one caller."""

import argparse
from typing import Any, NamedTuple

from gateway.cli.limits.change import ProposedChange, make_change
from gateway.cli.limits.exit_status import ExitStatus
from gateway.cli.limits.limit_document import Document, merge
from gateway.cli.limits.new_values import parse_quota
from gateway.cli.limits.ops_address import find_ops_address
from gateway.cli.limits.ops_client import OpsClient
from gateway.cli.limits.ops_refusal import OpsRefusal
from gateway.cli.limits.terminal import require_terminal
from gateway.cli.standard_streams import print_error
from gateway.cli.time_format import format_time
from gateway.ops.models import Limit
from gateway.settings.errors import escape

_Override = dict[str, Any] | None


class _CallerKey(NamedTuple):
    """The key of a caller as live documents have it, and as people read it, if that is known."""

    key: str
    caller: str | None


def run(options: argparse.Namespace) -> int:
    """Put an override into the live document of a policy, or remove one."""
    require_terminal(options)
    with OpsClient(find_ops_address(options)) as client:
        limit = client.get_limit(options.name)
        override = _create_override(options, limit)
        caller = _find_caller(options, client)
        if override is None and caller.key not in (limit.live or {}).get("overrides", {}):
            print_error(escape(f"{options.key} has no override under {limit.name}"))
            return ExitStatus.FAILED

        def send() -> Limit:
            body = {"overrides": _name_override(options, caller, override)}
            version = limit.version
            return client.change_limit(
                limit.name, {**body, "reason": options.reason}, version=version
            )

        document = _replace(limit.live or {}, caller, override)
        return make_change(options, client, ProposedChange(limit, document, send))


def _create_override(options: argparse.Namespace, limit: Limit) -> _Override:
    """Return the override that the options describe; None to remove it."""
    if options.remove:
        return None
    override: dict[str, Any] = {"reason": options.reason}
    if options.until is not None:
        override["until"] = format_time(options.until.timestamp())
    if options.block or options.allow:
        return {**override, "kind": "block" if options.block else "allow"}
    if options.times is not None:
        return {**override, "kind": "times", "times": options.times}
    field = "limit" if limit.kind == "concurrency" else "rate"
    return {**override, "kind": "rate", field: parse_quota(options.rate, limit)}


def _name_override(
    options: argparse.Namespace, caller: _CallerKey, override: _Override
) -> dict[str, _Override]:
    """Return the member of `overrides`, as a patch has it.

    A new override has the key as it was given: the stored one would not say who the caller is.
    """
    if override is None:
        return {caller.key: None}
    issuer = {} if options.issuer is None else {"issuer": options.issuer}
    return {options.key: {**override, **issuer}}


def _replace(document: Document, caller: _CallerKey, override: _Override) -> dict[str, Any]:
    """Return the document with this override in place of the one that the caller may have."""
    without = merge(document, {"overrides": {caller.key: None}})
    if override is None:
        return without
    return merge(without, {"overrides": {caller.key: {**override, "caller": caller.caller}}})


def _find_caller(options: argparse.Namespace, client: OpsClient) -> _CallerKey:
    """Look the caller up; return the key as it was given, if that is impossible now.

    Raises:
        OpsRefusal: the key fits no caller of the policy.
    """
    try:
        standing = client.look_up(options.name, options.key, options.issuer)
    except OpsRefusal as refusal:
        if refusal.status < 500:
            raise
        return _CallerKey(options.key, None)
    return _CallerKey(standing.key, standing.caller)
