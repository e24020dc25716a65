"""Revocation: tokens that are taken back before they expire, on every process within a second.

`revoke.py` writes a revocation into the database, and `revocation_replica.py` keeps those of this
process up to date; `gateway/auth/revocation_check.py` refuses the tokens.
"""
