"""Static API keys, for machines that can get no token: `Authorization: Bearer lk_...`.

`key_table.py` stores them in the database; `key_verifier.py` holds those of this process, and
verifies the key of a request.
"""
