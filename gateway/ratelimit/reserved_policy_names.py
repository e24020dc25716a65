"""The names of the limits of the gateway itself, which no policy of a package may have."""

from collections.abc import Mapping

from gateway.ratelimit.rule import SLOWAPI

OAUTH_ADDRESSES = "oauth_addresses"
OAUTH_CLIENTS = "oauth_clients"
OAUTH_REVOCATIONS = "oauth_revocations"
WRONG_API_KEYS = "wrong_api_keys"

_OWN = "is the name of a limit of the gateway itself"

RESERVED_NAMES: Mapping[str, str] = {
    SLOWAPI: "is the name of the limits of slowapi's decorators",
    **dict.fromkeys((OAUTH_ADDRESSES, OAUTH_CLIENTS, OAUTH_REVOCATIONS, WRONG_API_KEYS), _OWN),
}
"""Each name with the reason."""
