"""Okta: tokens of a custom authorization server, and of the one of the organization."""

from tests.gateway.auth.providers.provider import Accepted, Provider, Refused, rsa_jwk

SERVER = "https://shop.okta.com/oauth2/default"

ACCESS = {
    "ver": 1,
    "jti": "AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE",
    "iss": SERVER,
    "aud": "api://default",
    "sub": "ada@example.com",
    "cid": "nmdP1fcyvdVO11AL7ECm",
    "uid": "00ujmkLgagxeRrAg20g3",
    "scp": ["openid", "dashboard:read"],
    "scope": ...,
    "auth_time": 1_467_145_094,
    "groups": ["Everyone", "Shop Admins"],
}

OKTA = Provider(
    name="Okta",
    page="okta.md",
    jwks=[rsa_jwk(), rsa_jwk("next")],
    metadata={"issuer": SERVER, "jwks_uri": f"{SERVER}/v1/keys"},
    tokens=[
        Accepted("of a user", ACCESS, {
            "user_id": ACCESS["uid"], "service": ACCESS["cid"],
            "scopes": {"openid", "dashboard:read"},
        }),
        Accepted("of a service", {**ACCESS, "sub": ACCESS["cid"], "uid": ..., "auth_time": ...},
                 {"user_id": None, "subject": ACCESS["cid"]}),
        Refused("an ID token", {
            **ACCESS, "aud": ACCESS["cid"], "idp": "00o1", "amr": ["pwd"], "nonce": "n",
            "at_hash": "preview_at_hash", "scp": ..., "uid": ..., "cid": ...,
        }, "id_token", "it has nonce"),
        Refused("of the organization", {
            **ACCESS, "iss": "https://shop.okta.com", "aud": "https://shop.okta.com",
        }, "wrong_type", "okta-internal-at+jwt", {"typ": "application/okta-internal-at+jwt"}),
        Refused("of another server", {**ACCESS, "iss": "https://shop.okta.com/oauth2/aus1"},
                "unknown_issuer", SERVER),
        Refused("another audience", {**ACCESS, "aud": "api://orders"}, "wrong_audience",
                '"api://default"'),
    ],
)  # fmt: skip
