"""`CallerKeys`: finds the key of a caller by what an operator writes, such as `user:42`."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Literal, NamedTuple

from gateway.api_keys.api_key import ISSUER as KEY_ISSUER
from gateway.ratelimit.partition import ParsedKey, describe, parse_key
from gateway.ratelimit.policy import Policy

_OF_CLIENTS = frozenset({"service", "client"})
_OF_API_KEYS = frozenset({"service", "subject", "claim"})


class FoundKey(NamedTuple):
    """The key by which a caller is counted, and the caller as people read it, if that is known."""

    partition: str
    caller: str | None


class InvalidCaller(Exception):
    """A key that fits no caller of its policy; `part` says which part of it is not valid."""

    def __init__(self, part: Literal["key", "issuer"], message: str) -> None:
        super().__init__(message)
        self.part = part


class CallerKeys:
    """Finds keys. A value of a token is counted by its hash, together with the issuer of the token.

    `providers` are the issuers of the settings. `gateway` is `identity.issuer`: it issues tokens to
    clients alone. The holder of an API key has an issuer of its own, which an operator names.
    """

    def __init__(self, providers: Sequence[str], gateway: str | None) -> None:
        self._providers = list(providers)
        self._of_clients = [*self._providers, *([gateway] if gateway else [])]

    def find(self, policy: Policy, key: str, issuer: str | None) -> FoundKey:
        """Find the key that counts a caller under a policy.

        A key as the ops API shows it, such as `user:#9f2c...`, needs no issuer.

        Raises:
            InvalidCaller: it is no key, or the issuer is missing or unknown.
        """
        if not key.partition(":")[2]:
            message = "must be a kind and a value, such as user:42 or address:192.0.2.7"
            raise InvalidCaller("key", message)
        if not key.isprintable():
            raise InvalidCaller("key", "must have only printable characters")
        try:
            parsed = parse_key(policy, key)
            if parsed.needs_issuer:
                chosen = self._choose_issuer(parsed, issuer)
                return FoundKey(parsed.make_partition(chosen), key)
            partition = parsed.make_partition("")
        except ValueError as error:
            raise InvalidCaller("key", str(error)) from error
        return FoundKey(partition, describe(partition))

    def is_caller_of(self, policy: Policy, partition: str, caller: str) -> bool:
        """Return whether a caller as people write it has this key, with any issuer."""
        for issuer in ("", *self._of_clients, KEY_ISSUER):
            with suppress(ValueError):
                if parse_key(policy, caller).make_partition(issuer) == partition:
                    return True
        return False

    def _choose_issuer(self, key: ParsedKey, issuer: str | None) -> str:
        of_tokens = self._of_clients if key.kind in _OF_CLIENTS else self._providers
        if issuer is None and len(of_tokens) == 1:
            return of_tokens[0]
        known = [*of_tokens, KEY_ISSUER] if key.kind in _OF_API_KEYS else of_tokens
        if issuer in known:
            return str(issuer)
        problem = "must be set" if issuer is None else "is not an issuer of the settings"
        raise InvalidCaller("issuer", f"{problem}: one of {', '.join(known)}")
