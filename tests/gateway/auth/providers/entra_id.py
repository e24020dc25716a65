"""Microsoft Entra ID: one tenant, several tenants, and access tokens of version 1.0."""

from tests.gateway.auth.providers.provider import Accepted, Json, Provider, Refused, rsa_jwk

TENANT = "8eaef023-2b34-4da1-9baa-8bc8c9d6a490"
PARTNER = "5f1b0c1e-9a54-4d5b-a6f0-1c52f1c1a0c7"
CONSUMERS = "9188040d-6c67-4c5b-b112-36a304b66dad"
API = "6e74172b-be56-4843-9ff4-e66a39bb12e3"
LOGIN = "https://login.microsoftonline.com"

V2 = {
    "aud": API,
    "iss": f"{LOGIN}/{TENANT}/v2.0",
    "nbf": 1_537_231_048,
    "aio": "AXQAi/8IAAAA",
    "azp": "2d4d11a2-f814-46a7-890a-274a72a7309e",
    "azpacr": "0",
    "name": "Ada Lovelace",
    "oid": "690222be-ff1a-4d56-abd1-7e4f7d38e474",
    "preferred_username": "ada@example.com",
    "rh": "I",
    "scp": "dashboard:read",
    "scope": ...,
    "sub": "HKZpfaHyWadeOouYlitjrI-KffTm222X5rrV3xDqfKQ",
    "tid": TENANT,
    "uti": "fqiBqXLPj0eQa82S-IYFAA",
    "ver": "2.0",
}
APP: Json = {**V2, "scp": ..., "roles": ["orders:read"], "idtyp": "app", "azpacr": "1"}
V1 = {
    **V2,
    "aud": f"api://{API}",
    "iss": f"https://sts.windows.net/{TENANT}/",
    "appid": "2d4d11a2-f814-46a7-890a-274a72a7309e",
    "azp": ...,
    "appidacr": "0",
    "unique_name": "ada@example.com",
    "ver": "1.0",
}


def _jwk(kid: str, tenant: str) -> Json:
    """Make a key without `alg`, and with the issuer that it signs for."""
    issuer = f"{LOGIN}/{tenant}/v2.0"
    names = {"x5t": kid, "x5c": ["MIIC/TCC"], "cloud_instance_name": "microsoftonline.com"}
    return {**rsa_jwk(kid, alg=None, **names), "issuer": issuer}


ONE_TENANT = Provider(
    name="Entra ID with one tenant",
    page="entra-id.md",
    header={"typ": "JWT", "x5t": "signing"},
    jwks=[_jwk("signing", TENANT), _jwk("next", TENANT)],
    metadata={
        "issuer": f"{LOGIN}/{TENANT}/v2.0",
        "jwks_uri": f"{LOGIN}/{TENANT}/discovery/v2.0/keys",
    },
    tokens=[
        Accepted("of a user", V2, {
            "user_id": V2["oid"], "tenant": TENANT, "service": V2["azp"],
            "scopes": {"dashboard:read"},
        }),
        Accepted("of an application", APP, {"scopes": {"orders:read"}}),
        Accepted("with the roles of a user", {**V2, "roles": ["a"]}, {
            "scopes": {"dashboard:read", "a"},
        }),
        Refused("version 1.0", V1, "unknown_issuer", "https://sts.windows.net/"),
        Refused("an ID token", {**V2, "scp": ..., "nonce": "12345"}, "id_token", "it has nonce"),
        Refused("for Microsoft Graph", {**V2, "aud": "00000003-0000-0000-c000-000000000000"},
                "wrong_audience", '"00000003-0000-0000-c000-000000000000"'),
        Refused("another tenant", {**V2, "iss": f"{LOGIN}/{PARTNER}/v2.0", "tid": PARTNER},
                "unknown_issuer", PARTNER),
    ],
)  # fmt: skip

SEVERAL_TENANTS = Provider(
    name="Entra ID with several tenants",
    page="entra-id.md",
    block=1,
    header={"typ": "JWT"},
    jwks=[
        _jwk("signing", "{tenantid}"),
        _jwk("fixed", CONSUMERS),
        _jwk("partner", PARTNER),
    ],
    metadata={
        "issuer": f"{LOGIN}/{{tenantid}}/v2.0",
        "jwks_uri": f"{LOGIN}/common/discovery/v2.0/keys",
    },
    tokens=[
        Accepted("of the first tenant", V2, {"issuer": V2["iss"], "tenant": TENANT}),
        Accepted("of the second", {**V2, "iss": f"{LOGIN}/{PARTNER}/v2.0", "tid": PARTNER},
                 {"issuer": f"{LOGIN}/{PARTNER}/v2.0", "tenant": PARTNER}),
        Accepted("signed by the key of its tenant",
                 {**V2, "iss": f"{LOGIN}/{PARTNER}/v2.0", "tid": PARTNER}, {}, {"kid": "partner"}),
        Refused("of a tenant that is not listed",
                {**V2, "iss": f"{LOGIN}/{CONSUMERS}/v2.0", "tid": CONSUMERS}, "unknown_issuer",
                CONSUMERS),
        Refused("with the tid of another tenant", {**V2, "tid": PARTNER}, "wrong_tenant",
                f'but tid is "{PARTNER}"'),
        Refused("without tid", {**V2, "tid": ...}, "wrong_tenant", "tid is null"),
        Refused("with the template as its issuer", {**V2, "iss": f"{LOGIN}/{{tenantid}}/v2.0"},
                "unknown_issuer"),
        Refused("signed by the key of another tenant", V2, "algorithm_not_allowed_for_key",
                '"partner"', {"kid": "partner"}),
        Refused("signed by the key of the consumers", V2, "algorithm_not_allowed_for_key",
                '"fixed"', {"kid": "fixed"}),
    ],
)  # fmt: skip

VERSION_1 = Provider(
    name="Entra ID with tokens of version 1.0",
    page="entra-id.md",
    block=2,
    header={"typ": "JWT"},
    jwks=[rsa_jwk(alg=None, x5t="signing")],
    metadata={
        "issuer": f"https://sts.windows.net/{TENANT}/",
        "jwks_uri": f"{LOGIN}/common/discovery/keys",
    },
    tokens=[
        Accepted("of a user", V1, {"user_id": V1["oid"], "service": V1["appid"]}),
        Refused("version 2.0", V2, "unknown_issuer", "login.microsoftonline.com"),
    ],
)
