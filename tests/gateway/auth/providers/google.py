"""Google: ID tokens of users and of service accounts; its access tokens are opaque."""

from tests.gateway.auth.providers.provider import Accepted, Provider, Refused, rsa_jwk

WEB = "1234987819200.apps.googleusercontent.com"
ANDROID = "1234987819201.apps.googleusercontent.com"

ID = {
    "iss": "https://accounts.google.com",
    "azp": WEB,
    "aud": WEB,
    "sub": "110169484474386276334",
    "at_hash": "HK6E_P6Dh8Y93mRNtsDB1Q",
    "hd": "example.com",
    "email": "ada@example.com",
    "email_verified": True,
    "nonce": "0394852-3190485-2490358",
    "scope": ...,
}

GOOGLE = Provider(
    name="Google",
    page="google.md",
    header={"typ": "JWT"},
    jwks=[rsa_jwk(), rsa_jwk("next")],
    metadata={
        "issuer": "https://accounts.google.com",
        "jwks_uri": "https://www.googleapis.com/oauth2/v3/certs",
    },
    tokens=[
        Accepted("of a user", ID, {
            "user_id": ID["sub"], "tenant": "example.com", "scopes": {"dashboard:read"},
        }),
        Accepted("of the Android app", {**ID, "aud": ANDROID, "azp": ANDROID}, {}),
        Accepted("of a user without a domain", {**ID, "hd": ...}, {"tenant": None}),
        Accepted("of a service account", {
            **ID, "azp": "112345678901234567890", "sub": "112345678901234567890",
            "at_hash": ..., "nonce": ..., "hd": ...,
        }, {"user_id": "112345678901234567890"}),
        Refused("of another client", {**ID, "aud": "other.apps.googleusercontent.com"},
                "wrong_audience", '"other.apps.googleusercontent.com"'),
        Refused("with the issuer of old tokens", {**ID, "iss": "accounts.google.com"},
                "unknown_issuer", 'iss is "accounts.google.com"'),
    ],
)  # fmt: skip
