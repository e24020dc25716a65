"""Checks the values of an access rule, each with what would be right."""

import re
from collections.abc import Iterator, Mapping

from gateway.auth.jwt.own_token_rules import MAX_SERVICES
from gateway.auth.principal import SCOPE
from gateway.upstream.client import SERVICE_NAME

ALL = "*"
"""As `services`: the whole gateway. As `on_behalf_of`: the issuers of all identity providers."""

CLIENTS = "clients"
"""As `on_behalf_of`: clients of the gateway, with the tokens that it has issued to them."""

_CLIENT = re.compile(r"[A-Za-z0-9._-]{1,64}")

_EXAMPLES = {
    "services": "a name of [upstreams] or a list of them, or '*' for the whole gateway",
    "scopes": "a scope or a list of scopes",
    "on_behalf_of": "an issuer of the settings or a list of them, '*' for all, or 'clients'",
    "requires": "a scope or a list of scopes",
}


def find_value_errors(client: object, values: Mapping[str, object]) -> Iterator[str]:
    """Yield the errors of a rule; `values` are its lists by name."""
    if not isinstance(client, str) or not _CLIENT.fullmatch(client):
        hint = "it must be the id of a client, as `lockgate clients list` prints it"
        yield f"client is {client!r:.60}; {hint}"
    for name, value in values.items():
        yield from _find_list_errors(name, value)


def _find_list_errors(name: str, value: object) -> Iterator[str]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list | tuple) or not all(isinstance(it, str) for it in texts):
        yield f"{name} is {value!r:.60}; it must be {_EXAMPLES[name]}"
        return
    if not texts and name != "requires":
        yield f"{name} is empty, so that the rule permits nothing; give {_EXAMPLES[name]}"
    if len(set(texts)) < len(texts):
        yield f"{name} has one twice: {', '.join(texts)}"
    if name == "services" and len(texts) > MAX_SERVICES:
        yield (
            f"services has {len(texts)}, but a token names {MAX_SERVICES} at most; divide them "
            "among several rules, or give '*' for the whole gateway"
        )
    if ALL in texts and [it for it in texts if it not in (ALL, CLIENTS)]:
        yield f"{name} has '*' beside others: {', '.join(texts)}; '*' stands for all of them"
    for text in texts:
        if not _is_valid(name, text):
            yield f"{name} has {text!r:.60}; it must be {_EXAMPLES[name]}"


def _is_valid(name: str, text: str) -> bool:
    if name == "services":
        return text == ALL or SERVICE_NAME.fullmatch(text) is not None
    if name == "on_behalf_of":
        return bool(text.strip())
    return SCOPE.fullmatch(text) is not None and text != ALL
