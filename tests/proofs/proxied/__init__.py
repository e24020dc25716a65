"""The package of a gateway with one proxied route, for proofs."""
