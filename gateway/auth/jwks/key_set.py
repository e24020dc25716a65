"""Parses JWK Sets (RFC 7517, section 5), and finds the keys that may verify a token."""

import hashlib
import json
from codecs import BOM_UTF8
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from pydantic import JsonValue

from gateway.auth.jwks.jwk import (
    UnusableKey,
    VerificationKey,
    parse_jwk,
)
from gateway.auth.jwt import strict_json
from gateway.auth.jwt.refusal import show
from gateway.auth.jwt.signatures import Key
from gateway.settings.issuer_types import get_canonical_algorithm

MAX_DOCUMENT_BYTES = 1_048_576
MAX_KEYS = 1_000

_MAX_IGNORED_KEYS = 20


@dataclass(frozen=True, slots=True)
class IgnoredKey:
    """A published key that is not usable. `is_intended` as in `UnusableKey`."""

    key_id: str
    reason: str
    is_intended: bool


@dataclass(frozen=True, slots=True)
class KeySet:
    """The usable keys of an issuer. Two sets are equal if their keys are.

    `ids` has the key ids, and "" if a key has none. `ignored` has the first published keys that are
    not usable.
    """

    fingerprint: str = ""
    ids: frozenset[str] = frozenset()
    by_id: Mapping[str, Sequence[VerificationKey]] = field(
        default_factory=lambda: MappingProxyType({}), compare=False
    )
    ignored: Sequence[IgnoredKey] = field(default=(), compare=False)

    def may_have(self, key_id: str | None) -> bool:
        """Whether a key may be the one of a token with that `kid`, or without one.

        A key without `kid` may be that of any token (RFC 7517, section 4.5).
        """
        return bool(self.ids) if key_id is None else key_id in self.ids or "" in self.ids

    def find(self, key_id: str | None, algorithm: str, tenant: str | None = None) -> Sequence[Key]:
        """Return the keys that may have signed a token: usually one.

        Several keys may have one `kid` (RFC 7517, section 4.5). A token without `kid` may be signed
        by any key that fits (RFC 7515, appendix D).
        """
        algorithm = get_canonical_algorithm(algorithm)
        return [
            key.by_algorithm[algorithm]
            for key in self._list_candidates(key_id)
            if algorithm in key.by_algorithm and key.belongs_to(tenant)
        ]

    def explain_absence(self, key_id: str | None) -> str:
        """Return why there is no key for a token with that `kid`, for the log."""
        if key_id is None:
            return "the token has no kid, and the provider publishes no usable key"
        for key in self.ignored:
            if key.key_id == key_id:
                return f"the key with the kid {show(key_id)} is not usable: {key.reason}"
        return f"the provider publishes no key with the kid {show(key_id)}"

    def _list_candidates(self, key_id: str | None) -> Iterable[VerificationKey]:
        if key_id is None:
            return [key for keys in self.by_id.values() for key in keys]
        return self.by_id.get(key_id) or self.by_id.get("", ())


def parse_key_set(document: bytes, allowed: Sequence[str]) -> KeySet:
    """Parse a JWK Set, and ignore every key that cannot verify one of the `allowed` algorithms.

    Raises:
        ValueError: the document is not a JWK Set, or has more than `MAX_KEYS` keys.
    """
    parsed = strict_json.parse_object(document.removeprefix(BOM_UTF8))
    entries = parsed.get("keys")
    if not isinstance(entries, list):
        # Not a TypeError: callers catch one error for all unreadable input.
        raise ValueError(f"not a JWK Set: it has no list `keys`{_suggest_list(parsed)}")  # noqa: TRY004
    if len(entries) > MAX_KEYS:
        raise ValueError(f"more than {MAX_KEYS} keys in the JWK Set: {len(entries)}")
    keys, ignored = list[VerificationKey](), list[IgnoredKey]()
    for entry in entries:
        try:
            keys.append(parse_jwk(entry, allowed))
        except UnusableKey as error:
            if len(ignored) < _MAX_IGNORED_KEYS:
                ignored.append(IgnoredKey(_read_id(entry), str(error), error.is_intended))
    return _build_key_set(keys, ignored)


def _suggest_list(parsed: Mapping[str, JsonValue]) -> str:
    """Return what to do about a document that has keys in another form."""
    if "jwks_uri" in parsed:
        return "; it is a discovery document: set discovery_url to its URL"
    if "kty" in parsed:
        return "; it is one JWK, which must be put into such a list"
    if any(isinstance(value, str) and "CERTIFICATE" in value for value in parsed.values()):
        return "; it has certificates: use the URL of the JWK Set of this provider"
    return ""


def _build_key_set(keys: Sequence[VerificationKey], ignored: Sequence[IgnoredKey]) -> KeySet:
    # A key that is published twice, word for word, counts once.
    unique = {_serialize(key): key for key in keys}
    by_id: dict[str, list[VerificationKey]] = {}
    for key in unique.values():
        by_id.setdefault(key.key_id, []).append(key)
    return KeySet(
        fingerprint=hashlib.sha256(json.dumps(sorted(unique)).encode()).hexdigest(),
        ids=frozenset(by_id),
        by_id=MappingProxyType(by_id),
        ignored=tuple(ignored),
    )


def _serialize(key: VerificationKey) -> str:
    members = sorted(key.public_members.items())
    return json.dumps([key.key_id, key.issuer, sorted(key.by_algorithm), members])


def _read_id(entry: JsonValue) -> str:
    """Return the key id, also a number, for which a token may have the same digits."""
    key_id = entry.get("kid") if isinstance(entry, dict) else None
    return str(key_id)[:80] if isinstance(key_id, str | int) else ""
