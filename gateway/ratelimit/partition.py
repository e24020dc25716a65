"""On whose account a request goes: the key of a charge.

`lockgate:{user:9f2c...}:dashboards` - the part in braces is the Redis Cluster hash tag.
"""

from functools import lru_cache
from hashlib import blake2b

from gateway.auth.principal import Principal
from gateway.ratelimit.policy import RateLimit

_DIGEST_BYTES = 16
_CALLERS = 8_192


def key(policy: RateLimit, partition: str) -> str:
    """The account of one partition under one policy; the amount is no part of it."""
    steady = "~" if policy.burst else ""  # another kind of account: never read as this one
    return f"lockgate:{{{partition}}}:{policy.name}{steady}"


def caller_partition(policy: RateLimit, principal: Principal) -> str:
    """The user, service or tenant of the caller; where the token names none, its subject.

    What came from outside is hashed: it can be long, and it can hold a brace.
    """
    kind, value = "subject", principal.subject
    if policy.per == "user" and principal.user_id:
        kind, value = "user", principal.user_id
    elif policy.per == "service" and principal.service:
        kind, value = "service", principal.service
    elif policy.per == "tenant" and principal.tenant:
        kind, value = "tenant", principal.tenant
    return _partition(kind, principal.issuer, value)


@lru_cache(maxsize=_CALLERS)
def _partition(kind: str, issuer: str, value: str) -> str:
    return f"{kind}:{digest(issuer, value)}"


def digest(*values: str) -> str:
    """A short name for values from outside, different for every different list of them."""
    hashed = blake2b(digest_size=_DIGEST_BYTES)
    for value in values:
        encoded = value.encode("utf-8", "surrogatepass")
        hashed.update(len(encoded).to_bytes(8, "big"))
        hashed.update(encoded)
    return hashed.hexdigest()
