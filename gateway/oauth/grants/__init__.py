"""The grants of the token endpoint, one file each; `open_oauth.py` lists them by `grant_type`."""
