"""The day it always is in the demo, so that the same id brings the same bytes every time."""

from datetime import UTC, datetime, timedelta

NOW = datetime(2026, 11, 1, 8, tzinfo=UTC)

HOUR = 3_600
DAY = 24 * HOUR
YEAR = 365 * DAY


def ago(seconds: int) -> str:
    """The moment so long before now, in ISO 8601 with `Z`."""
    return f"{NOW - timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ}"
