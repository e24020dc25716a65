"""How the development identity provider is named and where it is: its issuer, paths and port."""

ISSUER = "https://identity.demo.invalid"
AUDIENCE = "lockgate-demo"

DISCOVERY_PATH = "/.well-known/openid-configuration"
JWKS_PATH = "/.well-known/jwks.json"
TOKEN_PATH = "/token"  # noqa: S105 - a path
DEFAULT_PORT = 9_100
