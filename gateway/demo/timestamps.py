"""The fixed date of the demo, so that an id gives the same bytes every day."""

from datetime import UTC, datetime, timedelta

NOW = datetime(2026, 11, 1, 8, tzinfo=UTC)

HOUR = 3_600
DAY = 24 * HOUR
YEAR = 365 * DAY


def format_timestamp(age: int) -> str:
    """Format the time `age` seconds before `NOW` as ISO 8601 with `Z`."""
    return f"{NOW - timedelta(seconds=age):%Y-%m-%dT%H:%M:%SZ}"
