"""The values of a policy that the arguments of `set` and `simulate` name."""

import argparse
from typing import Any

from gateway.cli.standard_streams import print_error
from gateway.ops.models import Limit
from gateway.settings.errors import escape
from gateway.settings.rate import parse_rates
from gateway.startup_error import StartupError


class InvalidRate(StartupError):
    """The rate does not fit the kind of the policy."""

    exit_status = 2


def create_rate_patch(options: argparse.Namespace, limit: Limit) -> dict[str, Any]:
    """Return the patch of the live document; empty without a rate and without `--burst`.

    Raises:
        InvalidRate: a concurrency limit needs a number, and a tier a rate.
    """
    patch: dict[str, Any] = {} if options.burst is None else {"burst": options.burst}
    if options.tier is not None:
        if options.rate is None:
            raise InvalidRate("--tier needs the RATE of the tier")
        if options.tier not in limit.in_force.tiers:
            known = ", ".join(limit.in_force.tiers) or "none"
            print_error(escape(f"the tier {options.tier} is new; {limit.name} has: {known}"))
        # The others stay: tiers merge by name.
        return {**patch, "tiers": {options.tier: parse_quota(options.rate, limit)}}
    if options.rate is None:
        return patch
    field = "limit" if limit.kind == "concurrency" else "rate"
    return {**patch, field: parse_quota(options.rate, limit)}


def parse_quota(text: str, limit: Limit) -> str | int:
    """Return the rate of a rate limit as it is, and the number of a concurrency limit.

    Raises:
        InvalidRate: it is no rate, or no number.
    """
    if limit.kind == "rate":
        try:
            parse_rates(text)
        except ValueError as error:
            raise InvalidRate(escape(f"rate: {error}")) from error
        return text
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) < 2**31:
        raise InvalidRate(
            f"{limit.name} limits requests at once: RATE must be a number such as 20, not {text!r}"
        )
    return int(text)
