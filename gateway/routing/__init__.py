"""Routes compiled once at start-up, so that a request does not walk its declarations."""
