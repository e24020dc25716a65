"""Times as the tables hold them: microseconds since the epoch, as integers."""

_MICROSECONDS = 1_000_000


def to_microseconds(seconds: float) -> int:
    """Convert seconds since the epoch."""
    return round(seconds * _MICROSECONDS)


def to_seconds(microseconds: int) -> float:
    """Convert a stored time to seconds since the epoch."""
    return microseconds / _MICROSECONDS
