"""The exchange with the service of a proxied route: bodies stream in both directions."""
