"""Providers without a page of their own: AD FS, Clerk, Dex, Firebase, Ping, Supabase, Zitadel."""

from collections.abc import Sequence

from tests.gateway.auth.providers.provider import (
    Accepted,
    Provider,
    Refused,
    encryption_jwk,
    rsa_jwk,
)
from tests.gateway.auth.token_factory import get_signing_key

_ADFS = "https://adfs.example.com/adfs"
_ROLES = {"dashboard:read": {"165": "shop.example.com"}}
_SUPABASE_KEY = get_signing_key("ES256", "supabase")

ADFS = Provider(
    name="AD FS",
    settings={
        "issuer": "http://adfs.example.com/adfs/services/trust",
        "audience": "microsoft:identityserver:6e74172b",
        "discovery_url": f"{_ADFS}/.well-known/openid-configuration",
        "service_claim": "appid",
    },
    header={"typ": "JWT", "x5t": "signing"},
    jwks=[rsa_jwk(alg="RS256", x5t="signing", x5c=["MIIC"])],
    metadata={
        "issuer": _ADFS,
        "access_token_issuer": "http://adfs.example.com/adfs/services/trust",
        "jwks_uri": f"{_ADFS}/discovery/keys",
    },
    tokens=[
        Accepted("of a user", {
            "iss": "http://adfs.example.com/adfs/services/trust",
            "aud": "microsoft:identityserver:6e74172b", "apptype": "Public", "appid": "web",
            "authmethod": "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport",
            "ver": "1.0", "scp": "openid", "scope": ..., "sub": "Zl8=",
        }, {"service": "web", "scopes": {"openid"}}),
    ],
)  # fmt: skip

FIREBASE = Provider(
    name="Firebase",
    settings={
        "issuer": "https://securetoken.google.com/shop",
        "audience": "shop",
        "jwks_url": "https://www.googleapis.com/service_accounts/v1/jwk/"
        "securetoken@system.gserviceaccount.com",
        "tenant_claim": "firebase.tenant",
        "granted_scopes": ["dashboard:read"],
    },
    header={"typ": "JWT"},
    jwks=[rsa_jwk()],
    tokens=[
        Accepted("of a user", {
            "iss": "https://securetoken.google.com/shop", "aud": "shop", "auth_time": 1,
            "user_id": "uid1", "sub": "uid1", "scope": ...,
            "firebase": {"identities": {}, "sign_in_provider": "password", "tenant": "t1"},
        }, {"user_id": "uid1", "tenant": "t1", "scopes": {"dashboard:read"}}),
    ],
)  # fmt: skip

SUPABASE = Provider(
    name="Supabase",
    settings={
        "issuer": "https://abc.supabase.co/auth/v1",
        "audience": "authenticated",
        "jwks_url": "https://abc.supabase.co/auth/v1/.well-known/jwks.json",
        "scope_claim": "app_metadata.permissions",
        "user_claim": "app_metadata.id",
    },
    header={"typ": "JWT"},
    key=_SUPABASE_KEY,
    jwks=[{**_SUPABASE_KEY.jwk(), "ext": True, "key_ops": ["verify"]}],
    tokens=[
        Accepted("of a user", {
            "iss": "https://abc.supabase.co/auth/v1", "aud": "authenticated", "sub": "uuid",
            "email": "", "phone": "", "role": "authenticated", "aal": "aal1", "scope": ...,
            "app_metadata": {"provider": "email", "id": 7, "permissions": ["dashboard:read"]},
            "user_metadata": {}, "amr": [{"method": "password", "timestamp": 1}],
            "session_id": "s", "is_anonymous": False,
        }, {"user_id": "7", "subject": "uuid", "scopes": {"dashboard:read"}}),
    ],
)  # fmt: skip

CLERK = Provider(
    name="Clerk",
    settings={
        "issuer": "https://clerk.shop.example.com",
        "audience": ["https://shop.example.com", "https://admin.shop.example.com"],
        "audience_claim": "azp",
        "jwks_url": "https://clerk.shop.example.com/.well-known/jwks.json",
        "tenant_claim": "o.id",
        "granted_scopes": ["dashboard:read"],
    },
    header={"typ": "JWT", "cat": "cl_B7d4PD111AAA"},
    jwks=[rsa_jwk()],
    tokens=[
        Accepted("of a session", {
            "iss": "https://clerk.shop.example.com", "azp": "https://shop.example.com",
            "aud": ..., "fva": [0, -1], "sid": "sess_1", "sts": "active", "sub": "user_1",
            "v": 2, "o": {"id": "org_1", "rol": "admin"}, "scope": ...,
        }, {"user_id": "user_1", "tenant": "org_1"}),
        Refused("of another site", {
            "iss": "https://clerk.shop.example.com", "azp": "https://evil.example", "aud": ...,
        }, "wrong_audience", 'azp is "https://evil.example"'),
    ],
)  # fmt: skip

ZITADEL = Provider(
    name="Zitadel",
    settings={
        "issuer": "https://shop.zitadel.cloud",
        "audience": "165000000000000001",
        "discovery_url": "https://shop.zitadel.cloud/.well-known/openid-configuration",
        "tenant_claim": "urn:zitadel:iam:user:resourceowner:id",
    },
    header={"typ": "JWT"},
    jwks=[rsa_jwk()],
    metadata={
        "issuer": "https://shop.zitadel.cloud",
        "jwks_uri": "https://shop.zitadel.cloud/oauth/v2/keys",
    },
    tokens=[
        Accepted("of a user", {
            "iss": "https://shop.zitadel.cloud", "sub": "163840776835432705",
            "aud": ["165@shop", "165000000000000001"], "jti": "163", "client_id": "165@shop",
            "urn:zitadel:iam:user:resourceowner:id": "165",
            "urn:zitadel:iam:org:project:roles": _ROLES,
        }, {"user_id": "163840776835432705", "tenant": "165", "scopes": {"dashboard:read"}}),
    ],
)  # fmt: skip

_DEX = {
    "iss": "https://dex.example.com",
    "sub": "CiQwOGE4Njg0Yi1kYjg4",
    "aud": "shop-web",
    "at_hash": "h",
    "groups": ["dashboard:read"],
    "email": "ada@example.com",
    "scope": ...,
}

DEX = Provider(
    name="Dex",
    settings={
        "issuer": "https://dex.example.com",
        "audience": "shop-web",
        "jwks_url": "https://dex.example.com/keys",
        "scope_claim": "groups",
        "id_tokens": True,
    },
    jwks=[rsa_jwk()],
    tokens=[
        Accepted("an ID token", _DEX, {"scopes": {"dashboard:read"}}),
        Accepted("an access token", {**_DEX, "at_hash": ..., "nonce": "n"}, {}),
    ],
)

PING = Provider(
    name="PingFederate and ForgeRock",
    settings={
        "issuer": "https://ping.example.com",
        "audience": "lockgate",
        "jwks_url": "https://ping.example.com/pf/JWKS",
    },
    header={"typ": "at+jwt", "pi.atm": "1"},
    jwks=[rsa_jwk(), rsa_jwk("ec", kty="EC"), encryption_jwk()],
    tokens=[
        Accepted("of PingFederate", {
            "iss": "https://ping.example.com", "aud": "lockgate", "client_id": "web",
            "scope": ["openid", "dashboard:read"], "agid": "g", "sub": "ada",
        }, {"service": "web", "scopes": {"openid", "dashboard:read"}}),
        Accepted("of ForgeRock", {
            "iss": "https://ping.example.com", "aud": "lockgate", "client_id": ...,
            "cts": "OAUTH2_STATELESS_GRANT", "auth_level": 0, "auditTrackingId": "a",
            "tokenName": "access_token", "token_type": "Bearer", "nonce": "n",
            "scope": ["dashboard:read"], "expires_in": 3_599,
        }, {"scopes": {"dashboard:read"}}, {"typ": "JWT"}),
        Refused("a refresh token of ForgeRock", {
            "iss": "https://ping.example.com", "aud": "lockgate", "tokenName": "refresh_token",
        }, "wrong_type", "refresh_token", {"typ": "JWT"}),
    ],
)  # fmt: skip

PROVIDERS: Sequence[Provider] = (ADFS, FIREBASE, SUPABASE, CLERK, ZITADEL, DEX, PING)
