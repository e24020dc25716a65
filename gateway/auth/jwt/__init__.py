"""JSON Web Tokens: parsing, claims, signatures and the cache of verified tokens."""
