"""The scopes of the ops API."""

READ, WRITE = OPS_SCOPES = "limits:read", "limits:write"
