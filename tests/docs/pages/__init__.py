"""Generators of the pages in docs/reference, one module per page."""
