"""The composites of the shop, one file each."""
