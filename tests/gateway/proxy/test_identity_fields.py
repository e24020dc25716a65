"""The identity that a service gets, and how it is encoded."""

from types import SimpleNamespace

import pytest
from starlette.requests import Request

from gateway.auth.dependencies import set_principal
from gateway.auth.principal import Principal
from gateway.identity.internal_tokens import InternalTokens
from gateway.proxy import Proxy
from gateway.proxy.identity_fields import build_identity_fields
from gateway.resources import Resources

ALICE = Principal(
    issuer="https://id.example.com/realms/a",
    subject="auth0|42",
    scopes=frozenset({"items:read", "items:write", "other"}),
    user_id="42",
    service=None,
    tenant="acme",
    expires_at=0,
)
