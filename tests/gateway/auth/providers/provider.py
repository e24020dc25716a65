"""What one identity provider publishes and issues, and what the gateway makes of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.gateway.auth.token_factory import SigningKey, get_signing_key

Json = dict[str, Any]


@dataclass(frozen=True)
class Accepted:
    """A token that is accepted, and the fields that its principal has."""

    name: str
    claims: Json
    principal: Json
    header: Json = field(default_factory=dict)


@dataclass(frozen=True)
class Refused:
    """A token that is refused, with the reason in the log and a part of its explanation."""

    name: str
    claims: Json
    reason: str
    explanation: str = ""
    header: Json = field(default_factory=dict)


@dataclass(frozen=True)
class Provider:
    """An identity provider.

    `page` is its page in docs/how-to/identity-providers, whose settings block with the number
    `block` configures it; without a page, `settings` do. `header` has the header parameters beside
    `alg` and `kid`. `metadata` is its discovery document.
    """

    name: str
    tokens: Sequence[Accepted | Refused]
    jwks: Sequence[Json]
    page: str = ""
    block: int = 0
    settings: Json = field(default_factory=dict)
    metadata: Json = field(default_factory=dict)
    header: Mapping[str, Any] = field(default_factory=dict)
    key: SigningKey = field(default_factory=lambda: get_signing_key("RS256", "signing"))


def rsa_jwk(kid: str = "signing", **members: Any) -> Json:
    """Make the JWK of the signing key, as providers publish it. None removes a member."""
    return get_signing_key("RS256", kid).jwk(**members)


def encryption_jwk() -> Json:
    """Make a key for encryption."""
    return get_signing_key("RS256", "enc", "other").jwk(use="enc", alg="RSA-OAEP")
