"""Partitions and keys: which requests are counted together.

A key looks like `lockgate:{user:9f2c...}:dashboards:60`. The part in braces is the partition; it is
also the Redis Cluster hash tag. The rest names the policy and what its counts depend on: the window
and the algorithm.
"""

from functools import lru_cache
from hashlib import blake2b
from ipaddress import IPv4Address, IPv6Address, IPv6Network

from gateway.auth.principal import Principal
from gateway.ratelimit.policy import Policy
from gateway.ratelimit.policy_checks import CLAIM
from gateway.ratelimit.rule import Rule

_OF_CLIENT = ("service", "client")
_DIGEST_BYTES = 16
_MAX_CACHED_CALLERS = 8_192
_IPV6_SUBSCRIBER_BITS = 64

CLAIM_KIND = "claim"
"""The kind of the partitions of callers that are counted by a claim."""

_MAX_NAMES = 16_384
_MAX_NAME_LENGTH = 128

recent_names: dict[str, str] = {}
"""The names of the callers that were hashed last, by partition; for operators."""


def make_key(rule: Rule, partition: str) -> str:
    """Return the key of one partition under one rule. It does not depend on the quota."""
    return f"lockgate:{{{partition}}}:{rule.key_suffix}"


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
        return hash_caller(per, issuer, value)
    return hash_caller("subject", principal.issuer, principal.subject)


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


@lru_cache(maxsize=_MAX_CACHED_CALLERS)
def hash_caller(per: str, issuer: str, value: str) -> str:
    """Return the partition of a value of a token, and remember the name of the caller."""
    if per.startswith(CLAIM):
        # The name of a claim may have any characters.
        kind, partition = CLAIM_KIND, f"{CLAIM_KIND}:{digest(per, issuer, value)}"
    else:
        kind, partition = per, f"{per}:{digest(issuer, value)}"
    if len(recent_names) >= _MAX_NAMES:
        del recent_names[next(iter(recent_names))]
    recent_names[partition] = f"{kind}:{value[:_MAX_NAME_LENGTH]}"
    return partition
