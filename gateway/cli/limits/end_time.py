"""Parses the end of a change, `--until`: RFC 3339, a duration, or a day and a time of day."""

import re
from datetime import UTC, datetime, time, timedelta

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DURATION = re.compile(r"([0-9]{1,4}) ?([mhdw])", re.IGNORECASE)
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAY_AND_TIME = re.compile(r"([a-z]+)?(?: ?([0-9]{1,2}):([0-9]{2}))?", re.IGNORECASE)
_EXPECTED = (
    "must be a time such as 2026-12-04T18:00:00Z, 30m, 2h, 3d, 18:00, tomorrow, friday or "
    "'friday 18:00'"
)


def parse_end(text: str, now: datetime) -> datetime:
    """Return the time that `text` means, with its offset.

    A day without a time is its beginning, 00:00; days and times are those of the local time zone.
    A day of the week is the next one, never today.

    Raises:
        ValueError: the text means no time, or one that has passed; the message is for people.
    """
    text = " ".join(text.split())
    end = _parse_duration(text, now) or _parse_day(text, now) or _parse_timestamp(text)
    if end is None:
        raise ValueError(_EXPECTED)
    if end <= now:
        raise ValueError(f"{format_end(end)} has passed")
    return end


def format_end(end: datetime) -> str:
    """Format a time with its day of the week, in the local time zone and, if it differs, in UTC."""
    local = end.astimezone()
    text = f"{local:%A %Y-%m-%d %H:%M:%S} {local.tzname()}"
    return f"{text} ({end.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ})" if local.utcoffset() else text


def describe_end(text: str) -> str:
    """Format the end of a document, which is in RFC 3339."""
    return format_end(datetime.fromisoformat(text))


def format_time_left(end: datetime, now: datetime) -> str:
    """Format the time until an end by its two largest units: `3 d 4 h`, `1 h 59 min`, `5 min`.

    It is rounded up to a minute, and "0 min" once the end has come.
    """
    minutes = max(0, -((now - end) // timedelta(minutes=1)))
    hours, days = minutes // 60, minutes // 1_440
    if days:
        return f"{days} d {hours % 24} h"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"


def _parse_duration(text: str, now: datetime) -> datetime | None:
    found = _DURATION.fullmatch(text)
    if found is None or not int(found[1]):
        return None
    return now + timedelta(**{_UNITS[found[2].lower()]: int(found[1])})


def _parse_day(text: str, now: datetime) -> datetime | None:
    """Parse a day, a time of day, or both."""
    found = _DAY_AND_TIME.fullmatch(text)
    if not text or found is None:
        return None
    today = now.astimezone().date()
    has_time = found[2] is not None
    if has_time and (int(found[2]) > 23 or int(found[3]) > 59):
        return None
    at = time(int(found[2]), int(found[3])) if has_time else time()
    if found[1] is None:
        end = datetime.combine(today, at).astimezone()
        return end if end > now else datetime.combine(today + timedelta(1), at).astimezone()
    days = _count_days(found[1].lower(), today.weekday())
    return None if days is None else datetime.combine(today + timedelta(days), at).astimezone()


def _count_days(name: str, weekday: int) -> int | None:
    """Return the days from a day of the week, 0 for Monday, to the next day of this name."""
    if name in {"today", "tomorrow"}:
        return int(name == "tomorrow")
    place = next((i for i, day in enumerate(_DAYS) if name in {day, day[:3]}), None)
    return None if place is None else (place - weekday - 1) % 7 + 1


def _parse_timestamp(text: str) -> datetime | None:
    """Parse RFC 3339, section 5.6."""
    try:
        end = datetime.fromisoformat(text.upper())
    except ValueError:
        return None
    if end.tzinfo is None:
        raise ValueError(f"needs an offset, such as {end.isoformat()}Z")
    return end
