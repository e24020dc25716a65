"""JSON Web Tokens: strict parsing, claims, signatures and the cache of verified tokens."""
