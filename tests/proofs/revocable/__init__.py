"""A package with one proxied route, which needs a token and counts in a limit."""
