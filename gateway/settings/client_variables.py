"""The variables that begin as those of settings do, and are for `lockgate limits`, a client."""

OPS_URL_VARIABLE = "LOCKGATE_OPS_URL"
OPS_TOKEN_VARIABLE = "LOCKGATE_OPS_TOKEN"  # noqa: S105 - a name

CLIENT_VARIABLES = frozenset({OPS_URL_VARIABLE, OPS_TOKEN_VARIABLE})
