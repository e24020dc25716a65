"""Declaring a policy, and values that are computed once for each policy."""

import pytest

from gateway.ratelimit.policy import MAX_CACHED_POLICIES, RateLimit, cache_per_policy


def test_a_value_is_computed_once_for_each_policy() -> None:
    computed: list[int] = []

    @cache_per_policy
    def quota(policy: RateLimit) -> int:
        computed.append(policy.rate.quota)
        return policy.rate.quota

    ten, twenty = RateLimit("same", "10/minute"), RateLimit("same", "20/minute")
    assert [quota(ten), quota(twenty), quota(ten), quota(twenty)] == [10, 20, 10, 20]
    assert computed == [10, 20]


def test_policies_that_are_garbage_collected_are_never_confused() -> None:
    quota = cache_per_policy(lambda policy: policy.rate.quota)
    for number in range(1, 3 * MAX_CACHED_POLICIES):
        assert quota(RateLimit("new", f"{number}/minute")) == number


@pytest.mark.parametrize("name", ["", "Dashboards", "1st", "a-b", 'a"b', "a" * 65])
def test_an_invalid_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="use a lower-case letter"):
        RateLimit(name, "1/minute")


def test_an_invalid_burst_or_rate_is_refused() -> None:
    with pytest.raises(ValueError, match="it must be at least 1"):
        RateLimit("p", "1/minute", burst=0)
    with pytest.raises(ValueError, match="is not a rate"):
        RateLimit("p", "many")
