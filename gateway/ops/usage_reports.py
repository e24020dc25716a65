"""Builds the usage documents of the ops API from the counts of the gateway processes."""

import time
from collections.abc import Iterable

from gateway.ops.models import LimitUsage, TopKey, UsageNow, UsageRates
from gateway.ops.process_channel import Counts
from gateway.ops.traffic import RECENT_SECONDS, Traffic
from gateway.ratelimit.usage.count_decisions import merge_reports

_NO_REPLY = "no gateway process replies"

_IDLE = Counts(allowed=0, refused=0, shadow_refused=0)


async def report_usage(traffic: Traffic, policy: str, seconds: int) -> LimitUsage:
    """Return the requests under a policy second by second."""
    found = await traffic.report_usage(policy, seconds)
    report = found or merge_reports([], int(time.time()) - seconds + 1, seconds)
    fault = traffic.find_fault() or ("" if found else _NO_REPLY)
    return LimitUsage(
        policy=policy,
        from_=report.begin,
        step=1,
        allowed=report.allowed,
        refused=report.refused,
        shadow_refused=report.shadow_refused,
        top_keys=[
            TopKey(
                key=it.key, caller=traffic.describe(it.key), allowed=it.allowed, refused=it.refused
            )
            for it in report.top_keys
        ],
        fault=fault or None,
    )


def report_usage_now(traffic: Traffic, policies: Iterable[str]) -> UsageNow:
    """Return the rates of these policies per second, and of others that processes count."""
    counts = {**dict.fromkeys(policies, _IDLE), **traffic.count_recent()}
    return UsageNow(
        now=time.time(),
        policies={name: _to_rates(it) for name, it in counts.items()},
        processes=list(traffic.list_processes()),
        fault=traffic.find_fault() or None,
    )


def _to_rates(counts: Counts) -> UsageRates:
    return UsageRates(
        allowed=counts.allowed / RECENT_SECONDS,
        refused=counts.refused / RECENT_SECONDS,
        shadow_refused=counts.shadow_refused / RECENT_SECONDS,
    )
