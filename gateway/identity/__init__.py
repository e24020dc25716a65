"""The gateway as an issuer: signing keys, internal tokens for services, and its JSON Web Key Set."""
