"""Names in access rules that the settings and the routes do not have."""

import pytest

from gateway.access import MayExchange
from gateway.access.setting_errors import find_access_errors
from gateway.settings.schema import Settings

SETTINGS = Settings.model_validate(
    {
        "issuers": [
            {"issuer": "https://id.example", "audience": "a", "jwks_url": "https://id.example/k"},
            {
                "issuer": "https://entra/{tenantid}/v2.0",
                "tenants": ["0b0b0b0b-0000-4000-8000-000000000000"],
                "audience": "a",
                "jwks_url": "https://entra/k",
            },
        ],
        "upstreams": {"stock": {"url": "http://a"}, "orders": {"url": "http://b"}},
        "identity": {"issuer": "https://gateway.example"},
    }
)
TENANT = "https://entra/0b0b0b0b-0000-4000-8000-000000000000/v2.0"


@pytest.mark.parametrize(
    ("services", "issuer", "error"),
    [
        ("stock", "https://id.example", None),
        ("*", "*", None),
        ("stock", "clients", None),
        ("fake", TENANT, None),
        ("stok", "*", "services has stok, which is not a service of the settings (did you mean st"),
        ("orders", "*", "services has orders, to which no proxied route leads (a token for it"),
        ("stock", "https://id.example/", "on_behalf_of has https://id.example/, which is not an"),
        ("stock", "https://entra/{tenantid}/v2.0", "which is not an issuer of the settings"),
        ("stock", "https://gateway.example", "(for clients of the gateway, give 'clients')"),
    ],
)
def test_names_that_nothing_else_has(services: str, issuer: str, error: str | None) -> None:
    rule = MayExchange("bff", services=services, scopes="stock:read", on_behalf_of=issuer)
    proxied = {"stock": "", "fake": ""}
    found = list(map(str, find_access_errors(SETTINGS, [rule], proxied, replaced=["fake"])))
    assert len(found) == (error is not None)
    if error is not None:
        assert error in found[0]
        assert found[0].startswith(f"{rule.place}: MayExchange('bff'): ")
