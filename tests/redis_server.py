"""Placeholder for the real-Redis fixture."""
