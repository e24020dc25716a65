"""Keycloak: access, ID, refresh and logout tokens of a realm."""

from tests.gateway.auth.providers.provider import (
    Accepted,
    Provider,
    Refused,
    encryption_jwk,
    rsa_jwk,
)

REALM = "https://keycloak.example.com/realms/shop"

ACCESS = {
    "jti": "onrtac:6f3c1d6e-0b0a-4c5a-9d0e-6a1f6e3c9b57",
    "iss": REALM,
    "aud": ["lockgate", "account"],
    "sub": "f3a1c9f2-3b0e-4a3f-8a39-3f8b2a1f5b0d",
    "typ": "Bearer",
    "azp": "shop-web",
    "sid": "0e6f7d0a-9d39-4a0b-8a5e-0f6b4f2e8f2a",
    "acr": "1",
    "allowed-origins": ["https://shop.example.com"],
    "realm_access": {"roles": ["offline_access", "dashboard:read", "uma_authorization"]},
    "resource_access": {"account": {"roles": ["manage-account", "view-profile"]}},
    "scope": "openid profile email",
    "email_verified": True,
    "preferred_username": "ada",
    "user_id": 42,
}

KEYCLOAK = Provider(
    name="Keycloak",
    page="keycloak.md",
    header={"typ": "JWT"},
    jwks=[rsa_jwk(x5c=["MIICmzCC"], x5t="q1", **{"x5t#S256": "q2"}), encryption_jwk()],
    metadata={"issuer": REALM, "jwks_uri": f"{REALM}/protocol/openid-connect/certs"},
    tokens=[
        Accepted("of a user", ACCESS, {"user_id": "42", "service": "shop-web"}),
        Accepted("its roles are scopes", ACCESS, {"scopes": {
            "openid", "profile", "email", "offline_access", "dashboard:read", "uma_authorization",
        }}),
        Accepted("with a nonce, before version 24", {**ACCESS, "nonce": "n"}, {"user_id": "42"}),
        Accepted("of a service account", {
            **ACCESS, "user_id": ..., "azp": "billing", "client_id": "billing",
            "clientHost": "10.0.0.7", "preferred_username": "service-account-billing",
        }, {"user_id": None, "service": "billing"}),
        Accepted("lightweight, without sub", {
            **ACCESS, "sub": ..., "user_id": ..., "realm_access": ..., "scope": "dashboard:read",
        }, {"subject": "shop-web", "scopes": {"dashboard:read"}}),
        Refused("without an audience mapper", {**ACCESS, "aud": "account"}, "wrong_audience",
                'aud is "account"; the setting audience has "lockgate"'),
        Refused("without any audience", {**ACCESS, "aud": ...}, "invalid_aud",
                'its azp is "shop-web"'),
        Refused("an ID token", {**ACCESS, "typ": "ID", "aud": "shop-web", "at_hash": "h"},
                "id_token", 'typ is "ID"'),
        Refused("a refresh token", {**ACCESS, "typ": "Refresh", "aud": REALM},
                "algorithm_not_allowed", 'alg is "HS512"', {"alg": "HS512", "kid": "hmac"}),
        Refused("an offline token", {**ACCESS, "typ": "Offline"}, "wrong_type", "Offline"),
        Refused("a logout token", {**ACCESS, "typ": "Logout"}, "wrong_type", "Logout"),
        Refused("another realm", {**ACCESS, "iss": REALM.replace("shop", "master")},
                "unknown_issuer", f'the setting issuers has "{REALM}"'),
        Refused("another host name", {**ACCESS, "iss": "http://keycloak:8080/realms/shop"},
                "unknown_issuer", "http://keycloak:8080/realms/shop"),
    ],
)  # fmt: skip
