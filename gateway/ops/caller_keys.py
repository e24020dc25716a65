"""`CallerKeys`: finds the key of a caller by what an operator writes, such as `user:42`."""

import re
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from gateway.ops.ops_errors import InvalidChange, InvalidField
from gateway.ratelimit.partition import describe, make_partition
from gateway.ratelimit.policy import Policy

_ADDRESS = "address"
_OF_CLIENTS = frozenset({"service", "client"})
_HASHED = re.compile(r"[a-z]+:[0-9a-f]{32}")


class FoundKey(NamedTuple):
    """The key by which a caller is counted, and the caller as people read it, if that is known."""

    partition: str
    caller: str | None


class CallerKeys:
    """Finds keys. A value of a token is counted by its hash, together with the issuer of the token.

    `providers` are the issuers of the settings. `gateway` is `identity.issuer`: it issues tokens to
    clients alone.
    """

    def __init__(self, providers: Sequence[str], gateway: str | None) -> None:
        self._providers = list(providers)
        self._of_clients = [*self._providers, *([gateway] if gateway else [])]

    def find(self, policy: Policy, key: str, issuer: str | None, *, field: str = "key") -> FoundKey:
        """Find the key that counts a caller under a policy.

        A key as the ops API shows it is taken as it is.

        Raises:
            InvalidChange: names `field`: it is no key, or the issuer is missing or unknown.
        """
        kind, _, value = key.partition(":")
        if not value:
            message = "must be a kind and a value, such as user:42 or address:192.0.2.7"
            raise InvalidChange([InvalidField(field, message)])
        if not key.isprintable():
            raise InvalidChange([InvalidField(field, "must have only printable characters")])
        if _HASHED.fullmatch(key):
            return FoundKey(key, describe(key))
        chosen = "" if kind == _ADDRESS else self._choose_issuer(kind, issuer, field)
        try:
            return FoundKey(make_partition(policy, key, chosen), key)
        except ValueError as error:
            raise InvalidChange([InvalidField(field, str(error))]) from error

    def is_caller_of(self, policy: Policy, partition: str, caller: str) -> bool:
        """Return whether a caller as people write it has this key, with any issuer."""
        for issuer in ("", *self._of_clients):
            with suppress(ValueError):
                if make_partition(policy, caller, issuer) == partition:
                    return True
        return False

    def _choose_issuer(self, kind: str, issuer: str | None, field: str) -> str:
        known = self._of_clients if kind in _OF_CLIENTS else self._providers
        if issuer is None and len(known) == 1:
            return known[0]
        if issuer in known:
            return str(issuer)
        problem = "must be set" if issuer is None else "is none of the settings"
        name = "issuer" if field == "key" else f"{field}.issuer"
        raise InvalidChange([InvalidField(name, f"{problem}: one of {', '.join(known)}")])
