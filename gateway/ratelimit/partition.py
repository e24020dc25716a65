"""Partitions and keys: which requests are counted together.

A key looks like `lockgate:{user:9f2c...}:dashboards`. The part in braces is the partition; it is
also the Redis Cluster hash tag.
"""

from functools import lru_cache
from hashlib import blake2b
from ipaddress import IPv4Address, IPv6Address, IPv6Network

from gateway.auth.principal import Principal
from gateway.ratelimit.policy import RateLimit

_DIGEST_BYTES = 16
_MAX_CACHED_CALLERS = 8_192
_IPV6_SUBSCRIBER_BITS = 64


def make_key(policy: RateLimit, partition: str) -> str:
    """Return the key of one partition under one policy. It does not depend on the rate."""
    # A policy with a burst has another kind of state in Redis; the suffix keeps the two apart.
    suffix = "~" if policy.burst else ""
    return f"lockgate:{{{partition}}}:{policy.name}{suffix}"


def caller_partition(policy: RateLimit, principal: Principal) -> str:
    """Return the partition of a caller: its user, service or tenant, else its subject.

    Values from the token are hashed, because they can be long and can contain a brace.
    """
    kind, value = "subject", principal.subject
    if policy.per == "user" and principal.user_id:
        kind, value = "user", principal.user_id
    elif policy.per == "service" and principal.service:
        return _hash_caller("service", principal.token_issuer, principal.service)
    elif policy.per == "tenant" and principal.tenant:
        kind, value = "tenant", principal.tenant
    return _hash_caller(kind, principal.issuer, value)


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
def _hash_caller(kind: str, issuer: str, value: str) -> str:
    return f"{kind}:{digest(issuer, value)}"
