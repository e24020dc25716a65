"""Amazon Cognito: access tokens without `aud`, and ID tokens, of a user pool."""

from tests.gateway.auth.providers.provider import Accepted, Provider, Refused, rsa_jwk

POOL = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Ab12Cd34E"
CLIENT = "1example23456789"

ACCESS = {
    "sub": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
    "cognito:groups": ["dashboard:read"],
    "iss": POOL,
    "version": 2,
    "client_id": CLIENT,
    "aud": ...,
    "origin_jti": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
    "event_id": "64f513be-32db-42b0-b78e-b02127b4f463",
    "token_use": "access",
    "scope": "phone openid profile email",
    "auth_time": 1_676_312_777,
    "jti": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
    "username": "ada",
}
ID = {
    **ACCESS,
    "aud": CLIENT,
    "client_id": ...,
    "scope": ...,
    "username": ...,
    "cognito:username": "ada",
    "token_use": "id",
    "at_hash": "h",
    "nonce": "n",
    "identities": [{"userId": "1", "providerName": "Google", "dateCreated": "1642699117273"}],
}

COGNITO = Provider(
    name="Amazon Cognito",
    page="cognito.md",
    jwks=[rsa_jwk(), rsa_jwk("id-tokens")],
    metadata={"issuer": POOL, "jwks_uri": f"{POOL}/.well-known/jwks.json"},
    tokens=[
        Accepted("of a user", ACCESS, {
            "user_id": ACCESS["sub"], "service": CLIENT,
            "scopes": {"phone", "openid", "profile", "email", "dashboard:read"},
        }),
        Accepted("of a machine", {
            **ACCESS, "sub": CLIENT, "cognito:groups": ..., "username": ...,
            "scope": "shop/orders:read",
        }, {"scopes": {"shop/orders:read"}}),
        Accepted("bound to a resource", {**ACCESS, "aud": CLIENT}, {}),
        Refused("bound to another resource", {**ACCESS, "aud": "https://payments"},
                "wrong_audience", 'aud is "https://payments"'),
        Refused("of another client", {**ACCESS, "client_id": "other"}, "wrong_audience",
                f'client_id is "other"; the setting audience has "{CLIENT}"'),
        Refused("an ID token", ID, "id_token", 'token_use is "id"'),
        Refused("another pool", {**ACCESS, "iss": f"{POOL[:-1]}F"}, "unknown_issuer", POOL),
    ],
)  # fmt: skip

COGNITO_ID_TOKENS = Provider(
    name="Amazon Cognito with ID tokens",
    page="cognito.md",
    block=1,
    jwks=[rsa_jwk()],
    tokens=[
        Accepted("an ID token", ID, {"user_id": ID["sub"], "scopes": {"dashboard:read"}}),
        Accepted("an access token", ACCESS, {"user_id": ID["sub"]}),
        Refused("an ID token of another client", {**ID, "aud": "other"}, "wrong_audience"),
    ],
)
