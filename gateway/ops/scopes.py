"""The scopes of the ops API."""

READ, WRITE = "limits:read", "limits:write"
