"""`Usage` counts decisions by the second, and what several processes tell is added."""

from collections.abc import Sequence

from gateway.ratelimit.bounds import USAGE_SECONDS
from gateway.ratelimit.limiter import Standing, Verdict
from gateway.ratelimit.limits import Demand
from gateway.ratelimit.policy import RateLimit
from gateway.ratelimit.policy_in_force import Block, Rules
from gateway.ratelimit.usage.count_decisions import KeyUsage, Usage, UsageReport, merge_reports

PAGES, SEARCH = RateLimit("pages", "5/minute"), RateLimit("search", "5/minute", shadow=True)
EPOCH = 1_800_000_000


class Clock:
    """A clock in seconds, which stands still."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        """The time."""
        return self.now

    def wall(self) -> float:
        """The time since the epoch."""
        return EPOCH + self.now


def count(
    usage: Usage,
    clock: Clock,
    *refused: str,
    partition: str = "user:a",
    policies: Sequence[RateLimit] = (PAGES,),
    rules: Rules | Block | None = None,
) -> None:
    """Count one decision, which these policies refuse."""
    rule_sets = [rules if rules is not None else policy.make_rules() for policy in policies]
    standings = [
        Standing(rule, 0, 1.0, 1.0 if rule.policy in refused else 0)
        for rules in rule_sets
        if not isinstance(rules, Block)
        for rule in rules
    ]
    verdict = Verdict.of(standings, 0)
    if isinstance(rules, Block):
        blocked = (rules.policy,)
        verdict = (
            Verdict(admitted=True, shadow_refused_by=blocked)
            if rules.shadow
            else Verdict(admitted=False, refused_by=blocked)
        )
    demands = [Demand(policy, partition) for policy in policies]
    usage.count(demands, verdict, int(clock.now))


def test_decisions_are_counted_by_the_second() -> None:
    usage = Usage(clock := Clock(), clock.wall)
    for refused in ((), (), ("pages",)):
        count(usage, clock, *refused)
    clock.now += 2
    count(usage, clock, "pages")
    report = usage.report("pages", 4)
    assert report == UsageReport(
        EPOCH + 999, [0, 2, 0, 0], [0, 1, 0, 1], [0] * 4, [KeyUsage("user:a", 2, 2)]
    )
    assert usage.policies == ["pages"]


def test_a_shadow_refusal_is_admitted_and_another_policy_is_not_charged() -> None:
    usage = Usage(clock := Clock(), clock.wall)
    count(usage, clock, "search", policies=(PAGES, SEARCH))
    count(usage, clock, "pages", policies=(PAGES, SEARCH))
    pages, search = usage.report("pages", 1), usage.report("search", 1)
    assert (pages.allowed, pages.refused, pages.shadow_refused) == ([1], [1], [0])
    assert (search.allowed, search.refused, search.shadow_refused) == ([1], [0], [1])


def test_blocks_are_refusals() -> None:
    usage = Usage(clock := Clock(), clock.wall)
    count(usage, clock, rules=Block("pages", 5))
    count(usage, clock, rules=Block("pages", 5, shadow=True))
    report = usage.report("pages", 1)
    assert (report.allowed, report.refused, report.shadow_refused) == ([1], [1], [1])


def test_the_ring_forgets_what_is_older_than_ten_minutes() -> None:
    usage = Usage(clock := Clock(), clock.wall)
    for _ in range(2 * USAGE_SECONDS):
        count(usage, clock)
        clock.now += 1
    report = usage.report("pages")
    assert report.allowed == [1] * (USAGE_SECONDS - 1) + [0]
    assert USAGE_SECONDS - 1 <= report.top_keys[0].allowed <= USAGE_SECONDS + 60
    clock.now += 10 * USAGE_SECONDS
    assert sum(usage.report("pages", 10 * USAGE_SECONDS).allowed) == 0


def test_an_unknown_policy_has_no_usage() -> None:
    usage = Usage(clock := Clock(), clock.wall)
    assert usage.report("pages", 2) == UsageReport(EPOCH + 999, [0, 0], [0, 0], [0, 0])


def test_reports_of_several_processes_are_added_by_the_second() -> None:
    first = UsageReport(100, [1, 2, 3], [0, 0, 1], [0, 0, 0], [KeyUsage("a", 6, 1)])
    second = UsageReport(
        101, [5, 5, 5], [1, 1, 1], [0, 2, 0], [KeyUsage("b", 9, 0), KeyUsage("a", 6, 3)]
    )
    merged = merge_reports([first, second], 101, 3)
    assert merged.begin == 101
    assert merged.allowed == [7, 8, 5]
    assert merged.refused == [1, 2, 1]
    assert merged.shadow_refused == [0, 2, 0]
    assert merged.top_keys == [KeyUsage("a", 12, 4), KeyUsage("b", 9, 0)]
