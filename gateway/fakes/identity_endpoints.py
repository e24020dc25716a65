"""The names of the development identity provider, and where it is: its paths and its port."""

ISSUER = "https://identity.demo.invalid"
AUDIENCE = "lockgate-demo"
OPS_AUDIENCE = "lockgate-demo-ops"
OPERATOR = "operator"

DISCOVERY_PATH = "/.well-known/openid-configuration"
JWKS_PATH = "/.well-known/jwks.json"
TOKEN_PATH = "/token"  # noqa: S105 - a path
DEFAULT_PORT = 9_100
