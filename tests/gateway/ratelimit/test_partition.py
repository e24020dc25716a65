"""Partitions and keys: different callers are never counted together."""

from ipaddress import ip_address
from itertools import combinations
from typing import Any

import pytest

from gateway.auth.principal import Principal
from gateway.ratelimit.partition import (
    address_partition,
    caller_partition,
    describe,
    digest,
    make_key,
    parse_key,
)
from gateway.ratelimit.policy import RateLimit
from tests.gateway.ratelimit.charges import make_rule


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
    small, large = make_rule(1, name="p"), make_rule(9, name="p")
    assert make_key(small, "user:1") == make_key(large, "user:1") == "lockgate:{user:1}:p:60"


def test_another_window_or_algorithm_has_another_key() -> None:
    rules = [make_rule(9), make_rule(9, 3_600), make_rule(9, burst=3), make_rule(9, 61, burst=3)]
    assert len({make_key(rule, "user:1") for rule in rules}) == len(rules)


def test_different_callers_have_different_partitions() -> None:
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


def test_without_the_claim_the_subject_is_the_partition() -> None:
    for per in ("user", "service", "tenant"):
        one, other = partition(per, subject="a"), partition(per, subject="b")
        assert one != other
        assert one.startswith("subject:")


def test_a_client_and_a_claim_are_partitions_of_their_own() -> None:
    everyone = [
        partition("client", client="1"),
        partition("service", service="1"),
        partition("claim:org", claims={"org": "1", "team": "1"}),
        partition("claim:team", claims={"org": "1", "team": "1"}),
        partition("claim:org", claims={"org": "2"}),
        partition("claim:org", claims={"org": "1"}, issuer="https://other.example"),
    ]
    assert all(one != other for one, other in combinations(everyone, 2))
    assert everyone[2] == partition("claim:org", claims={"org": "1"}, subject="other")
    assert partition("claim:org", subject="a") == partition("user", subject="a")


@pytest.mark.parametrize(
    ("per", "key", "claims"),
    [
        ("user", "user:42", {"user_id": "42"}),
        ("user", "subject:s", {}),
        ("tenant", "tenant:acme", {"tenant": "acme"}),
        ("service", "service:cart", {"service": "cart"}),
        ("client", "client:cart", {"client": "cart"}),
        ("claim:org", "claim:acme:eu", {"claims": {"org": "acme:eu"}}),
    ],
)
def test_an_operator_names_the_partition_of_a_caller(
    per: str, key: str, claims: dict[str, Any]
) -> None:
    policy, caller = RateLimit("p", "1/second", per=per), principal(**claims)
    found = parse_key(policy, key).make_partition(caller.issuer)
    assert found == caller_partition(policy, caller)
    assert parse_key(policy, found).make_partition("https://other.example") == found
    assert describe(found) == key


def test_a_user_id_of_32_hexadecimal_digits_is_no_hash_without_its_mark() -> None:
    policy, caller = RateLimit("p", "1/second"), principal(user_id="9f" * 16)
    named = parse_key(policy, "user:" + "9f" * 16)
    assert named.needs_issuer
    assert named.make_partition(caller.issuer) == caller_partition(policy, caller)
    with pytest.raises(ValueError, match="does not count"):
        parse_key(policy, "service:#" + "9f" * 16)


@pytest.mark.parametrize("value", ["#1", "#", "#9f2c", "#" + "9F" * 16, "#" + "9f" * 16 + "0"])
@pytest.mark.parametrize("kind", ["user", "subject"])
def test_a_value_that_is_nearly_a_hash_is_refused(kind: str, value: str) -> None:
    with pytest.raises(ValueError, match=r"is no hash: after # come 32 .* begins with # has no"):
        parse_key(RateLimit("p", "1/second"), f"{kind}:{value}")


def test_an_operator_names_an_address_and_no_other_kind_of_key() -> None:
    policy = RateLimit("p", "1/second", per="address")
    assert parse_key(policy, "address:2001:db8::1").make_partition("") == "address:2001:db8::"
    assert parse_key(policy, "address:unknown").make_partition("") == address_partition(None)
    assert describe("address:2001:db8::") == "address:2001:db8::"
    assert describe("user:#" + "0" * 32) is None
    for key in ("user:42", "42", "address:", "address:localhost", "subject:s"):
        with pytest.raises(ValueError, match=r"its keys are address|does not appear"):
            parse_key(policy, key).make_partition("")


def test_the_names_of_callers_are_bounded() -> None:
    first = partition("user", user_id="first")
    for number in range(9_000):
        partition("user", user_id=f"{number}" * 99)
    assert describe(first) is None
    assert len(describe(partition("user", user_id="x" * 255)) or "") < 256


def test_users_of_one_tenant_share_its_partition() -> None:
    assert partition("tenant", tenant="t", subject="a") == partition(
        "tenant", tenant="t", subject="b"
    )


def test_an_exchanged_token_counts_for_its_subject_and_for_its_own_client() -> None:
    gateway = "https://gateway.example"
    exchanged = {"user_id": "1", "tenant": "t", "service": "bff", "token_issuer": gateway}
    for per in ("user", "tenant"):
        assert partition(per, **exchanged) == partition(per, user_id="1", tenant="t")
    own = partition("service", service="bff", issuer=gateway)
    assert partition("service", **exchanged) == own
    assert own != partition("service", service="bff")


def test_untrusted_values_are_bounded_and_cannot_leave_the_braces() -> None:
    hostile = partition("user", user_id="}{\r\n\0\ud800" * 10_000)
    assert len(hostile) < 64
    assert not set(hostile) & set("{}\r\n\0")


def test_a_digest_depends_on_where_its_parts_end() -> None:
    assert digest("ab", "c") != digest("a", "bc")


def test_addresses_in_one_ipv6_network_are_one_subscriber() -> None:
    one, other = ip_address("2001:db8::1"), ip_address("2001:db8::ffff:1")
    elsewhere = ip_address("2001:db8:0:1::1")
    assert address_partition(one) == address_partition(other) != address_partition(elsewhere)


def test_an_address_partition_names_the_address_or_the_lack_of_one() -> None:
    assert address_partition(ip_address("198.51.100.7")) == "address:198.51.100.7"
    assert address_partition(ip_address("2001:db8:1:2::9")) == "address:2001:db8:1:2::"
    assert address_partition(None) == "address:unknown"
