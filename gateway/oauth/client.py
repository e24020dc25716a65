"""`OAuthClient`: a service that gets tokens from the gateway."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.oauth.client_secret import SecretHash


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """A secret of a client. `expires_at` is in seconds since the epoch, None if it has no end."""

    hash: SecretHash
    created_at: float
    expires_at: float | None = None


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """A client as it is stored. Times are in seconds since the epoch.

    It authenticates with a secret, or with an assertion that one of `public_keys` verifies
    (`private_key_jwt`, RFC 7523). `scopes` are the most that it can get for itself;
    the rules of `access.py` say what it can get on behalf of others.
    """

    id: str
    scopes: tuple[str, ...]
    secrets: tuple[ClientSecret, ...]
    public_keys: Sequence[Mapping[str, str]]
    created_at: float
    is_removed: bool = False
