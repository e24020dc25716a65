"""Formats times for people and for scripts alike: UTC, to the second (RFC 3339)."""

from datetime import UTC, datetime


def format_time(seconds: float) -> str:
    """Format seconds since the epoch."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
