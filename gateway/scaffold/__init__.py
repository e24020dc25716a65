"""Writes the files of a new package, service or composite: `lockgate new`."""
