"""`ClearedPrefixes` is bounded, and loses no prefix."""

from gateway.ratelimit.cleared_prefixes import MAX_PREFIXES, ClearedPrefixes


def test_each_prefix_is_taken_once() -> None:
    cleared = ClearedPrefixes()
    for prefix in ("a", "b", "a"):
        cleared.add(prefix)
    assert sorted(cleared.take()) == ["a", "b"]
    assert list(cleared.take()) == []


def test_too_many_become_one_that_fits_all_keys() -> None:
    cleared = ClearedPrefixes()
    for number in range(MAX_PREFIXES + 1):
        cleared.add(f"lockgate:{number}")
    assert list(cleared.take()) == [""]
