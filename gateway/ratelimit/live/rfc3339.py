"""Times of live documents, as RFC 3339 writes them."""

import re
from datetime import UTC, datetime

_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-]\d\d:\d\d)")


def normalize_time(text: str) -> str:
    """Return a time in its one form: in UTC, with a `Z`.

    Raises:
        ValueError: it is no time of RFC 3339 (section 5.6).
    """
    time = _parse(text) if _TIME.fullmatch(text) else None
    if time is None:
        example = "such as 2030-05-31T18:00:00Z"
        raise ValueError(f"must be a time with its offset (RFC 3339), {example}")
    return time.isoformat().replace("+00:00", "Z")


def to_epoch(text: str) -> float:
    """Convert a time of RFC 3339 to seconds since the epoch."""
    return datetime.fromisoformat(text).timestamp()


def _parse(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):  # such as February 30, or year 1 ahead of UTC
        return None
