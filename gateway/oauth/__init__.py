"""OAuth clients: the services that get tokens from the gateway (RFC 6749).

`client_table.py` stores them in the database, and `client_registry.py` keeps those of this process
up to date.
"""
