"""Proxy, the declaration of a proxied route, and the checks of declarations."""
