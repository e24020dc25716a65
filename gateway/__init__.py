"""Lockgate: an async API gateway and backend-for-frontend aggregator."""
