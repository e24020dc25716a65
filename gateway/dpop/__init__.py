"""DPoP (RFC 9449): proofs that a client holds the key to which its access token is bound."""
