"""What the gateway would do with a request, and who may call what: `lockgate explain`, `access`."""
