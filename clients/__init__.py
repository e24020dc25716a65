"""The shop's typed clients, one file per downstream service."""
