"""Auth0: access tokens of an API, with its RBAC, and ID tokens."""

from tests.gateway.auth.providers.provider import Accepted, Provider, Refused, rsa_jwk

TENANT = "https://shop.eu.auth0.com/"
API = "https://api.shop.example.com"

ACCESS = {
    "iss": TENANT,
    "sub": "auth0|65f1c0ffee65f1c0ffee65f1",
    "aud": [API, f"{TENANT}userinfo"],
    "scope": "openid profile dashboard:read",
    "org_id": "org_9ybsU1dN2dKfDkBi",
    "azp": "my_client_id",
    "permissions": ["dashboard:read", "orders:read"],
    "https://shop.example.com/user_id": 42,
}
OTHERS = [rsa_jwk("next", x5c=["MIIDDTCC"], x5t="next")]

AUTH0 = Provider(
    name="Auth0",
    page="auth0.md",
    header={"typ": "JWT"},
    jwks=[rsa_jwk(x5c=["MIIDDTCC"], x5t="signing"), *OTHERS],
    metadata={"issuer": TENANT, "jwks_uri": f"{TENANT}.well-known/jwks.json"},
    tokens=[
        Accepted("of a user", ACCESS, {
            "user_id": "42", "service": "my_client_id", "tenant": "org_9ybsU1dN2dKfDkBi",
            "scopes": {"openid", "profile", "dashboard:read", "orders:read"},
        }),
        Accepted("in the profile of RFC 9068", {**ACCESS, "client_id": "my_client_id"},
                 {"user_id": "42"}, {"typ": "at+jwt"}),
        Accepted("of a machine", {
            **ACCESS, "sub": "my_client_id@clients", "aud": API, "gty": "client-credentials",
            "org_id": ..., "https://shop.example.com/user_id": ..., "permissions": ...,
        }, {"subject": "my_client_id@clients", "user_id": None, "tenant": None}),
        Refused("an ID token", {**ACCESS, "aud": "my_client_id", "nonce": "n", "sid": "s"},
                "id_token", "it has nonce"),
        Refused("an ID token without nonce", {**ACCESS, "aud": "my_client_id"},
                "wrong_audience", 'aud is "my_client_id"'),
        Refused("another API", {**ACCESS, "aud": f"{API}/"}, "wrong_audience", f'"{API}/"'),
        Refused("the issuer without its slash", {**ACCESS, "iss": TENANT.rstrip("/")},
                "unknown_issuer", "they differ in the last slash"),
        Refused("signed with HS256", ACCESS, "algorithm_not_allowed", "HS256", {"alg": "HS256"}),
    ],
)  # fmt: skip
