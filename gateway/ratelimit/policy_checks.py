"""Checks the values of a declared policy. Each error says what would be right."""

import inspect
import re
from collections.abc import Mapping
from itertools import pairwise
from typing import get_args

from gateway.auth.principal import CLAIM_NAME
from gateway.ratelimit.prefetch_numbers import MIN_PREFETCH_WINDOW, compute_least_burst
from gateway.ratelimit.rule import MICROSECONDS, WithoutRedis, compute_largest_burst
from gateway.settings.errors import find_nearest
from gateway.settings.rate import MAX_WINDOWS, Rate, parse_rates

MAX_COST = 999_999_999
MAX_TIERS = 100

PARTITIONS = ("user", "service", "tenant", "client", "address")
CLAIM = "claim:"

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_PER_CHOICES = (*PARTITIONS, "claim:NAME")

Rates = tuple[Rate, ...]


def check_name(name: object) -> None:
    """Check the name of a policy."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(
            f"policy name {name!r} is invalid: use a lower-case letter, then at most 63 "
            "lower-case letters, digits or underscores"
        )


def check_type(policy: str, field: str, value: object, kind: type, expected: str) -> None:
    """Check the type of a value. True is no number."""
    is_bool = isinstance(value, bool) and kind is not bool
    if not isinstance(value, kind) or is_bool:
        raise TypeError(f"policy {policy}: {field} is {value!r:.60}; it must be {expected}")


def check_per(policy: str, per: object) -> None:
    """Check whom a policy counts."""
    if isinstance(per, str) and per.startswith(CLAIM):
        if not CLAIM_NAME.fullmatch(per.removeprefix(CLAIM)):
            raise ValueError(
                f"policy {policy}: per is {per!r:.60}; it must be {CLAIM}NAME, with the name of a "
                "top-level claim in printable ASCII"
            )
    else:
        _check_choice(policy, "per", per, _PER_CHOICES)


def check_without_redis(policy: str, value: object) -> None:
    """Check what a policy does without Redis. A misspelt fallback would be none."""
    _check_choice(policy, "without_redis", value, get_args(WithoutRedis))


def read_rates(policy: str, field: str, value: object) -> Rates:
    """Return the rates of a declaration, that of the shortest window first.

    A text, a `Rate`, or a list of them; a text may have several, separated by commas.
    """
    rates: list[Rate] = []
    for one in value if isinstance(value, list | tuple) else [value]:
        if isinstance(one, Rate):
            rates.append(one)
        else:
            check_type(policy, field, one, str, "a text such as '120/minute', or a list of them")
            rates += _parse_rates(policy, field, str(one))
    return tuple(sorted(rates, key=lambda rate: rate.window))


def _parse_rates(policy: str, field: str, text: str) -> Rates:
    try:
        return parse_rates(text)
    except ValueError as error:
        raise ValueError(f"policy {policy}: {field}: {error}") from None


def check_rates(policy: str, rates: Rates, burst: int | None) -> None:
    """Check that the windows differ, and that each rate can refuse a request."""
    if not 1 <= len(rates) <= MAX_WINDOWS:
        raise ValueError(
            f"policy {policy}: it has {len(rates)} rates; it must have 1 to {MAX_WINDOWS}"
        )
    for shorter, longer in pairwise(rates):
        if shorter.window == longer.window:
            raise ValueError(
                f"policy {policy}: {shorter} and {longer} have the same window; keep one of them"
            )
        is_steady = burst is not None and shorter is rates[0]
        if shorter.quota >= longer.quota and not is_steady:
            raise ValueError(
                f"policy {policy}: {shorter} never refuses a request, because {longer} admits no "
                "more in a longer window; remove one of them"
            )
    if burst is not None:
        _check_burst(policy, rates[0], burst)


def _check_burst(policy: str, rate: Rate, burst: object) -> None:
    """Check a burst against the rate of the shortest window.

    Raises:
        TypeError, ValueError: it is no positive number, or too large.
    """
    check_type(policy, "burst", burst, int, "a whole number")
    largest = compute_largest_burst(rate.window * MICROSECONDS)
    if not largest:
        raise ValueError(f"policy {policy}: the window of {rate} is too long for a burst")
    if not isinstance(burst, int) or not 1 <= burst <= largest:
        raise ValueError(
            f"policy {policy}: burst is {burst}; with {rate} it must be at least 1 and at most "
            f"{largest}, up to which counts are exact"
        )


def check_cost(policy: str, cost: object, largest: int) -> None:
    """Check a cost: a number that fits `largest` at once, or a function that returns one."""
    if inspect.iscoroutinefunction(cost):
        raise TypeError(
            f"policy {policy}: cost is a coroutine function; it must be a plain function, because "
            "nothing is awaited before a request is counted"
        )
    if callable(cost):
        return
    check_type(policy, "cost", cost, int, "a whole number, or a function of the request")
    if not isinstance(cost, int) or not 0 <= cost <= MAX_COST:
        raise ValueError(
            f"policy {policy}: cost is {cost}; it must be at least 0 and at most {MAX_COST}"
        )
    if cost > largest:
        raise ValueError(
            f"policy {policy}: cost is {cost}, so that every request would be refused; at most "
            f"{largest} fit at once"
        )


def check_prefetch(policy: str, prefetch: object, rates: Rates, burst: int | None) -> None:
    """Check a prefetch against the rates: what is taken in advance must be a small part of them."""
    check_type(policy, "prefetch", prefetch, int, "a whole number, or None")
    smallest = min(rate.quota for rate in rates)
    if not isinstance(prefetch, int) or not 1 <= prefetch <= smallest:
        raise ValueError(
            f"policy {policy}: prefetch is {prefetch}; it must be at least 1 and at most the "
            f"smallest quota, {smallest}"
        )
    if rates[0].window < MIN_PREFETCH_WINDOW:
        raise ValueError(
            f"policy {policy}: prefetch needs windows of at least {MIN_PREFETCH_WINDOW} seconds; "
            f"{rates[0]} has a shorter one"
        )
    least = compute_least_burst(rates[0].quota, rates[0].window * MICROSECONDS)
    if burst is not None and burst < least:
        raise ValueError(
            f"policy {policy}: burst is {burst}; with a prefetch and {rates[0]}, it must be at "
            f"least {least}"
        )


def check_tiers(policy: str, per: str, tiers: object, tier_claim: object) -> None:
    """Check that tiers and the claim that selects one are given together."""
    if tiers is None and tier_claim is None:
        return
    if tiers is None:
        raise ValueError(f"policy {policy}: tier_claim selects a tier, and there are no tiers")
    if not isinstance(tiers, Mapping) or not all(isinstance(name, str) for name in tiers):
        raise TypeError(
            f"policy {policy}: tiers is {tiers!r:.60}; it must be a dict such as "
            "{'free': '60/minute', 'pro': '600/minute'}"
        )
    if not 1 <= len(tiers) <= MAX_TIERS or not all(tiers):
        raise ValueError(
            f"policy {policy}: tiers has {len(tiers)} entries; it must have 1 to {MAX_TIERS}, each "
            "with the value of the claim as its name"
        )
    if tier_claim is None:
        raise ValueError(
            f"policy {policy}: tiers needs tier_claim, the claim of the token that selects a tier"
        )
    if per == "address":
        raise ValueError(
            f"policy {policy}: tiers needs a caller, and per is 'address'; count per user or "
            "another property of the caller"
        )
    is_name = isinstance(tier_claim, str) and CLAIM_NAME.fullmatch(tier_claim)
    if not is_name or str(tier_claim).startswith(CLAIM):
        raise ValueError(
            f"policy {policy}: tier_claim is {tier_claim!r:.60}; it must be the name of a claim, "
            "such as 'plan'"
        )


def _check_choice(policy: str, field: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        nearest = find_nearest(value, choices) if isinstance(value, str) else None
        hint = f"; did you mean {nearest}?" if nearest else ""
        raise ValueError(
            f"policy {policy}: {field} is {value!r}; it must be one of {', '.join(choices)}{hint}"
        )
