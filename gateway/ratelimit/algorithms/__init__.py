"""The algorithms that decide whether a request fits its limit."""
