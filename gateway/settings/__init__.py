"""The settings: their schema, their loader and their errors."""
