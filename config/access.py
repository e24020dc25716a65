"""Which client may call which services of the shop, on whose behalf, by token exchange."""

from gateway.access import MayExchange

access = [
    MayExchange("bff", services="catalog", scopes="catalog:read", on_behalf_of="*"),
]
