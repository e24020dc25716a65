"""The gateway as an issuer: signing keys, internal tokens for services, and its key set."""
