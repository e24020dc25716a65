"""The package of Lockgate in section proxy: two proxied routes."""
