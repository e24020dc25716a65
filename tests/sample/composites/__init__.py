"""The composites of the sample application."""
