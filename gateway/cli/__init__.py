"""The `lockgate` command: one verb, one file."""
