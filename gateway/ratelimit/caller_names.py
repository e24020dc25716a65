"""The names of callers for operators: from a name to the key that is counted, and back.

A partition has a hash in place of what a token says. The names of recent callers are remembered in
memory alone, as they are seen for the first time.
"""

from ipaddress import ip_address

from gateway.ratelimit.partition import CLAIM_KIND, address_partition, hash_caller, recent_names
from gateway.ratelimit.policy import Policy
from gateway.ratelimit.policy_checks import CLAIM

ADDRESS = "address"
SUBJECT = "subject"


def make_partition(policy: Policy, name: str, issuer: str) -> str:
    """Return the partition of a caller that an operator names, such as `user:42`.

    `issuer` is that of its tokens; an address has none. A caller without the value that a policy
    counts by is counted by its subject, so `subject:...` is a name under every such policy.

    Raises:
        ValueError: the policy does not count such callers, or the address is none.
    """
    kind, _, value = name.partition(":")
    if kind == ADDRESS == policy.per:
        try:
            return address_partition(None if value == "unknown" else ip_address(value))
        except ValueError:
            raise ValueError(f"must be an IP address after {ADDRESS}:") from None
    if kind == SUBJECT and policy.per != ADDRESS:
        return hash_caller(SUBJECT, issuer, value)
    own = CLAIM_KIND if policy.per.startswith(CLAIM) else policy.per
    if kind != own:
        expected = f"{own}:" if own == ADDRESS else f"{own}: or {SUBJECT}:"
        raise ValueError(
            f"must begin with {expected}, because {policy.name} counts per {policy.per}"
        )
    return hash_caller(policy.per, issuer, value)


def describe(partition: str) -> str | None:
    """Return the name of a caller, such as `user:42`; None if this process has not seen it lately.

    An address is its own name.
    """
    if partition.startswith(f"{ADDRESS}:"):
        return partition
    return recent_names.get(partition)
