"""Values that are computed once for each rule, and numbers that stay within their bounds."""

from gateway.ratelimit.rule import MAX_CACHED_RULES, Rule, cache_per_rule, change_numbers
from tests.gateway.ratelimit.charges import make_rule


def test_a_value_is_computed_once_for_each_rule() -> None:
    computed: list[int] = []

    @cache_per_rule
    def quota(rule: Rule) -> int:
        computed.append(rule.quota)
        return rule.quota

    ten, twenty = make_rule(10), make_rule(20)
    assert [quota(ten), quota(twenty), quota(ten), quota(twenty)] == [10, 20, 10, 20]
    assert computed == [10, 20]


def test_rules_that_are_garbage_collected_are_never_confused() -> None:
    quota = cache_per_rule(lambda rule: rule.quota)
    for number in range(1, 3 * MAX_CACHED_RULES):
        assert quota(make_rule(number)) == number


def test_changed_numbers_stay_within_the_bounds_and_keep_the_key() -> None:
    steady = make_rule(1, 86_400, burst=49_999)
    changed = change_numbers(steady, 0.2, 10**12)
    assert (changed.quota, changed.burst) == (1, 49_999)
    assert change_numbers(steady, 10**12, 0.5).burst == 1
    assert changed.key_suffix == steady.key_suffix
    assert change_numbers(make_rule(7), 14, 14).burst == 0
