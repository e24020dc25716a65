"""What follows from a policy is worked out once for each, and for a bounded number of them."""

from gateway.ratelimit.policy import MAX_CACHED_POLICIES, RateLimit, cache_per_policy


def test_each_policy_has_its_own_answer_worked_out_once() -> None:
    asked: list[int] = []

    @cache_per_policy
    def quota(policy: RateLimit) -> int:
        asked.append(policy.rate.quota)
        return policy.rate.quota

    ten, twenty = RateLimit("same", "10/minute"), RateLimit("same", "20/minute")
    assert [quota(ten), quota(twenty), quota(ten), quota(twenty)] == [10, 20, 10, 20]
    assert asked == [10, 20]


def test_policies_that_come_and_go_are_never_mistaken_for_each_other() -> None:
    quota = cache_per_policy(lambda policy: policy.rate.quota)
    for number in range(1, 3 * MAX_CACHED_POLICIES):
        assert quota(RateLimit("new", f"{number}/minute")) == number
