"""The clients of the sample application."""
