"""The errors that callers meet, and how they are written on the wire."""
