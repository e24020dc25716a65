"""Whose account a request goes on: different callers never share one."""

from itertools import combinations
from typing import Any

from gateway.auth.principal import Principal
from gateway.ratelimit.partition import caller_partition, digest, key
from gateway.ratelimit.policy import RateLimit


def principal(**claims: Any) -> Principal:
    """A caller with these claims."""
    defaults: dict[str, Any] = {
        "issuer": "https://id.example", "subject": "s", "scopes": frozenset(),
        "user_id": None, "service": None, "tenant": None, "expires_at": 0,
    }  # fmt: skip
    return Principal(**{**defaults, **claims})


def partition(per: Any, **claims: Any) -> str:
    """The partition of such a caller under such a policy."""
    return caller_partition(RateLimit("p", "1/second", per=per), principal(**claims))


def test_a_key_names_the_partition_as_its_hash_tag_and_never_the_amount() -> None:
    small, large = RateLimit("p", "1/second"), RateLimit("p", "9/day")
    assert key(small, "user:1") == key(large, "user:1") == "lockgate:{user:1}:p"
    assert key(RateLimit("p", "1/second", burst=3), "user:1") != key(small, "user:1")


def test_callers_that_differ_have_accounts_that_differ() -> None:
    everyone = [
        partition("user", user_id="1"),
        partition("user", user_id="2"),
        partition("user", user_id="1", issuer="https://other.example"),
        partition("user", subject="1"),
        partition("service", service="1"),
        partition("tenant", tenant="1"),
        partition("user", user_id="1}:p"),
    ]
    assert all(one != other for one, other in combinations(everyone, 2))


def test_without_the_claim_it_is_the_subject_and_never_an_account_for_all() -> None:
    for per in ("user", "service", "tenant"):
        one, other = partition(per, subject="a"), partition(per, subject="b")
        assert one != other
        assert one.startswith("subject:")


def test_users_of_one_tenant_share_its_account() -> None:
    assert partition("tenant", tenant="t", subject="a") == partition(
        "tenant", tenant="t", subject="b"
    )


def test_what_comes_from_outside_is_bounded_and_cannot_break_out() -> None:
    hostile = partition("user", user_id="}{\r\n\0\ud800" * 10_000)
    assert len(hostile) < 64
    assert not set(hostile) & set("{}\r\n\0")


def test_a_digest_depends_on_where_its_parts_end() -> None:
    assert digest("ab", "c") != digest("a", "bc")
