"""Callers for the tests of internal tokens."""

from typing import Any

from gateway.auth.principal import Actor, Principal

NOW = 1_800_000_000.0
PROVIDER = "https://login.example.com"


def make_caller(**changes: Any) -> Principal:
    """Make a caller whose token is valid for an hour from `NOW` on."""
    values: dict[str, Any] = {
        "issuer": PROVIDER,
        "subject": "42",
        "scopes": frozenset({"stock:read", "stock:write", "orders:read:any"}),
        "user_id": "42",
        "service": "shop-app",
        "tenant": "acme",
        "expires_at": NOW + 3_600,
        "client": "shop-app",
        "actors": (Actor(PROVIDER, "shop-app"),),
    }
    return Principal(**values | changes)
