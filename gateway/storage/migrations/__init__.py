"""The migrations of the schema, which Alembic runs; each revision is a file in `versions`."""
