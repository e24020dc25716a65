"""The numbers of rules with a prefetch: how long it may be spent, how Redis counts meanwhile."""

from dataclasses import replace
from typing import NamedTuple

from gateway.ratelimit.rule import MICROSECONDS, Rule, cache_per_rule

MIN_PREFETCH_WINDOW = 10
"""Seconds. Hardly a request falls into the spending time of a shorter window."""

_MAX_SPENDING_TIME = MICROSECONDS
_SPENDING_TIMES_PER_WINDOW = 60


class Numbers(NamedTuple):
    """The numbers by which a rule is counted in Redis; `window` is in microseconds."""

    quota: int
    window: int
    burst: int


@cache_per_rule
def get_prefetch(rule: Rule) -> int:
    """Return how many requests of a rule may be granted in advance; 0: it is counted exactly.

    Declared policies have no prefetch that does not fit; an override of a key may lead to one.
    """
    if rule.window < MIN_PREFETCH_WINDOW * MICROSECONDS:
        return 0
    if rule.burst and rule.burst < compute_least_burst(rule.quota, rule.window):
        return 0
    return rule.prefetch


def compute_least_burst(quota: int, window: int) -> int:
    """Return the least burst that leaves half to a prefetch; `window` is in microseconds."""
    return 2 * _compute_refill(quota, window)


@cache_per_rule
def get_spending_time(rule: Rule) -> int:
    """Return how long a request that was granted in advance may be spent, in microseconds."""
    return _compute_spending_time(rule.window)


@cache_per_rule
def get_shared_numbers(rule: Rule) -> Numbers:
    """Return the numbers by which Redis counts: those of the rule, or stricter ones for a prefetch.

    Why no more requests are admitted than the rule allows. Redis charges a request that it grants
    at a time d, and it is admitted at a time a, with d <= a <= d + s, where s is the spending
    time: a prefetch is spent after the reply of Redis has arrived, and until s after the check was
    sent. So all requests that are admitted within any time T are charged within a time T + s.

    - Sliding window: of the requests admitted within one window W, all are charged within W + s.
      Redis counts with a window of W + s, so they are at most the quota.
    - GCRA: of the requests admitted within any time T, all are charged within T + s. Redis admits
      at most b + (T + s) * quota / W in that time. It counts with b = burst - s * quota / W,
      rounded down, so they are at most burst + T * quota / W, which is what GCRA admits.
    """
    if not get_prefetch(rule):
        return Numbers(rule.quota, rule.window, rule.burst)
    if not rule.burst:
        return Numbers(rule.quota, rule.window + get_spending_time(rule), 0)
    return Numbers(rule.quota, rule.window, rule.burst - _compute_refill(rule.quota, rule.window))


@cache_per_rule
def get_shared_rule(rule: Rule) -> Rule:
    """Return the rule with its numbers in Redis. Its counts have the keys of the given rule."""
    if not get_prefetch(rule):
        return rule
    numbers = get_shared_numbers(rule)
    shared = replace(rule, prefetch=0, **numbers._asdict())
    object.__setattr__(shared, "key_suffix", rule.key_suffix)
    return shared


def compute_longest_window(window: int) -> int:
    """Return the longest window with which Redis counts a sliding window, in microseconds."""
    is_exact = window < MIN_PREFETCH_WINDOW * MICROSECONDS
    return window if is_exact else window + _compute_spending_time(window)


def _compute_spending_time(window: int) -> int:
    return min(_MAX_SPENDING_TIME, window // _SPENDING_TIMES_PER_WINDOW)


def _compute_refill(quota: int, window: int) -> int:
    """Return the number of requests that a steady rate admits within the spending time."""
    return -(-_compute_spending_time(window) * quota // window)
