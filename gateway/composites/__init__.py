"""The shop's composites, one file each."""
