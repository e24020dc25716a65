"""`FrequentKeys` against exact counts."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from gateway.ratelimit.usage.frequent_keys import FrequentKeys

CAPACITY = 8
keys = st.lists(
    st.integers(0, 40).map(lambda number: str(min(number, number % 7))) | st.integers().map(str),
    max_size=400,
)


@given(keys=keys)
def test_counts_are_bounded_and_nearly_exact(keys: list[str]) -> None:
    frequent = FrequentKeys(CAPACITY)
    for key in keys:
        frequent.add(key)
        assert len(frequent.counts) <= CAPACITY
    exact = Counter(keys)
    error = len(keys) / (CAPACITY / 2)
    for key, count in exact.items():
        assert count - error <= frequent.counts.get(key, 0) <= count


def test_an_attack_with_many_keys_does_not_hide_a_busy_one() -> None:
    frequent = FrequentKeys()
    for number in range(100_000):
        frequent.add(f"user:{number}")
        if number % 100 == 0:
            frequent.add("user:busy")
    assert max(frequent.counts, key=frequent.counts.__getitem__) == "user:busy"
    assert 1_000 - 101_000 / 256 <= frequent.counts["user:busy"] <= 1_000


def test_sketches_are_added() -> None:
    first, second = FrequentKeys(), FrequentKeys()
    first.add("a", 3)
    second.add_all(first.counts)
    second.add("a")
    assert second.counts == {"a": 4}
