"""Partitions and keys: which requests are counted together.

A key looks like `lockgate:{user:#9f2c...}:dashboards:60`. The part in braces is the partition; it
is also the Redis Cluster hash tag. The rest names the policy and what its counts depend on: the
window and the algorithm. `#` marks a hash, so that no user id looks like one.
"""

import re
from functools import lru_cache
from hashlib import blake2b
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import NamedTuple

from gateway.auth.principal import Principal
from gateway.ratelimit.policy import Policy
from gateway.ratelimit.policy_checks import CLAIM
from gateway.ratelimit.rule import Rule

_OF_CLIENT = ("service", "client")
_DIGEST_BYTES = 16
_HASHED = re.compile(r"#[0-9a-f]{32}")
_MAX_SHOWN = 200
_MAX_CACHED_CALLERS = 8_192
_IPV6_SUBSCRIBER_BITS = 64


def make_key(rule: Rule, partition: str) -> str:
    """Return the key of one partition under one rule. It does not depend on the quota."""
    return f"lockgate:{{{partition}}}:{rule.key_suffix}"


def get_partition(key: str) -> str:
    """Return the partition of a key."""
    return key[key.index("{") + 1 : key.rindex("}")]


def get_policy(key: str) -> str:
    """Return the name of the policy of a key; "" if it counts none."""
    return key[key.rfind("}:") + 2 :].partition(":")[0] if "}:" in key else ""


def caller_partition(policy: Policy, principal: Principal) -> str:
    """Return the partition of a caller under a policy; that of its subject if it has no such value.

    Values from the token are hashed, because they can be long and can contain a brace.
    """
    per, issuer = policy.per, principal.issuer
    if per == "user":
        value = principal.user_id
    elif per == "tenant":
        value = principal.tenant
    elif per in _OF_CLIENT:
        # A client belongs to the issuer of the token, the subject of it may be of another one.
        value = principal.service if per == "service" else principal.client
        issuer = principal.token_issuer
    else:
        value = principal.claims.get(per.removeprefix(CLAIM))
    if value:
        return _hash_caller(per, issuer, value)
    return _hash_caller("subject", principal.issuer, principal.subject)


def address_partition(address: IPv4Address | IPv6Address | None) -> str:
    """Return the partition of a client address; all clients without an address share one.

    An IPv6 address is counted by its /64, the smallest network that one subscriber gets.
    """
    if isinstance(address, IPv6Address):
        network = IPv6Network((address, _IPV6_SUBSCRIBER_BITS), strict=False)
        return f"address:{network.network_address}"
    return f"address:{address or 'unknown'}"


def digest(*values: str) -> str:
    """Hash untrusted values to a short name; different lists of values give different names."""
    hashed = blake2b(digest_size=_DIGEST_BYTES)
    for value in values:
        encoded = value.encode("utf-8", "surrogatepass")
        hashed.update(len(encoded).to_bytes(8, "big"))
        hashed.update(encoded)
    return hashed.hexdigest()


class ParsedKey(NamedTuple):
    """A key that an operator writes, such as `user:42`; `per` is what the counts are kept by."""

    per: str
    kind: str
    value: str

    @property
    def needs_issuer(self) -> bool:
        """Whether the issuer of the caller's tokens is a part of its partition."""
        return self.kind != "address" and not _HASHED.fullmatch(self.value)

    def make_partition(self, issuer: str) -> str:
        """Return the partition of the caller; `issuer` counts only if the key needs one.

        Raises:
            ValueError: it is an address that is not valid.
        """
        if self.kind == "address":
            return address_partition(None if self.value == "unknown" else ip_address(self.value))
        if not self.needs_issuer:
            return f"{self.kind}:{self.value}"
        return _hash_caller(self.per, issuer, self.value)


def parse_key(policy: Policy, key: str) -> ParsedKey:
    """Parse the key that an operator writes: `user:42`, `address:192.0.2.1`, `claim:acme`.

    A partition as it is shown has a mark, as in `user:#9f2c...`. A caller without the value that
    the policy counts by is `subject:NAME`.

    Raises:
        ValueError: the policy counts nothing of this kind, or the value begins like a hash and is
            none.
    """
    kind, _, value = key.partition(":")
    own = "claim" if policy.per.startswith(CLAIM) else policy.per
    kinds = (own, "subject") if policy.needs_caller else (own,)
    if kind not in kinds or not value:
        forms = " or ".join(f"{kind}:..." for kind in kinds)
        raise ValueError(f"{policy.name} does not count {key:.80}; its keys are {forms}")
    if kind != "address" and value.startswith("#") and not _HASHED.fullmatch(value):
        raise ValueError(
            f"{key:.80} is no hash: after # come 32 hexadecimal digits in lower case, as in the "
            "lists of keys. A caller whose own name begins with # has no other form than its hash, "
            "which `lockgate limits top` shows"
        )
    return ParsedKey(policy.per if kind == own else kind, kind, value)


def describe(partition: str) -> str | None:
    """Return the caller of a partition, such as `user:42`, if this process has seen it lately."""
    return partition if partition.startswith("address:") else _callers.get(partition)


@lru_cache(maxsize=_MAX_CACHED_CALLERS)
def _hash_caller(per: str, issuer: str, value: str) -> str:
    # The name of a claim may have any characters, so it is hashed too.
    kind = "claim" if per.startswith(CLAIM) else per
    hashed = digest(per, issuer, value) if kind == "claim" else digest(issuer, value)
    partition = f"{kind}:#{hashed}"
    if len(_callers) >= _MAX_CACHED_CALLERS:
        # Both are emptied, so that the next request of a caller adds it to both again.
        _callers.clear()
        _hash_caller.cache_clear()
    _callers[partition] = f"{kind}:{value:.{_MAX_SHOWN}}"
    return partition


_callers: dict[str, str] = {}  # by their partitions
