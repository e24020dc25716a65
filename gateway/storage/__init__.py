"""The database: what may not be lost. SQLite in one file, or PostgreSQL.

Every change is one transaction with an entry in the journal. `database.py` runs transactions,
`tables.py` has the schema, and `upgrade.py` brings a database to it.
"""
