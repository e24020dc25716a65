"""Static API keys, for machines that can get no token: `Authorization: Bearer lk_...`.

`key_table.py` stores them in the database, `key_replica.py` keeps those of this process up to date,
and `key_verifier.py` verifies the key of a request.
"""
