"""`lockgate limits override`: another limit for one caller."""

import argparse
from typing import Any

from gateway.cli.limits.change import ProposedChange, make_change
from gateway.cli.limits.document import merge
from gateway.cli.limits.new_values import parse_quota
from gateway.cli.limits.ops_address import find_ops_address
from gateway.cli.limits.ops_client import OpsClient
from gateway.cli.limits.ops_refusal import OpsRefusal
from gateway.cli.limits.terminal import require_terminal
from gateway.cli.time_format import format_time
from gateway.ops.models import Limit

_Override = dict[str, Any] | None


def run(options: argparse.Namespace) -> int:
    """Put an override into the live document of a policy, or remove one."""
    require_terminal(options)
    with OpsClient(find_ops_address(options)) as client:
        limit = client.get_limit(options.name)
        override = _create_override(options, limit)
        key = _find_key(options, client)
        # A key as the ops app shows it is a hash, and would not say who the caller is.
        sent_key = key if override is None else options.key
        body = {
            "overrides": {sent_key: _add_issuer(override, options.issuer)},
            "reason": options.reason,
        }

        def send() -> Limit:
            return client.change_limit(limit.name, body, version=limit.version)

        document = merge(limit.live or {}, {"overrides": {key: None}})
        if override is not None:
            document = merge(document, {"overrides": {key: override}})
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


def _add_issuer(override: _Override, issuer: str | None) -> _Override:
    return override if override is None or issuer is None else {**override, "issuer": issuer}


def _find_key(options: argparse.Namespace, client: OpsClient) -> str:
    """Return the key as live documents have it; as it was given, if it cannot be looked up now.

    Raises:
        OpsRefusal: the key fits no caller of the policy.
    """
    try:
        return client.look_up(options.name, options.key, options.issuer).key
    except OpsRefusal as refusal:
        if refusal.status < 500:
            raise
        return str(options.key)
