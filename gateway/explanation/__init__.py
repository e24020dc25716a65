"""Explanations of requests, and the list of access rules: `lockgate explain` and `access`."""
