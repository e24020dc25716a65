"""`--until`: a time, a duration, or a day, in the local time zone."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from gateway.cli.limits.end_time import describe_end, format_end, format_time_left, parse_end

NOW = datetime(2026, 12, 2, 10, 30, tzinfo=UTC)  # a Wednesday, 11:30 in Berlin


@pytest.fixture(autouse=True)
def _berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("30m", "2026-12-02T11:00:00"),
        ("2h", "2026-12-02T12:30:00"),
        ("2 H", "2026-12-02T12:30:00"),
        ("3d", "2026-12-05T10:30:00"),
        ("1w", "2026-12-09T10:30:00"),
        ("18:00", "2026-12-02T17:00:00"),
        ("11:31", "2026-12-02T10:31:00"),
        ("11:30", "2026-12-03T10:30:00"),  # tomorrow: today it is now
        ("9:00", "2026-12-03T08:00:00"),
        ("today 23:59", "2026-12-02T22:59:00"),
        ("tomorrow", "2026-12-02T23:00:00"),
        ("tomorrow 08:15", "2026-12-03T07:15:00"),
        ("friday", "2026-12-03T23:00:00"),
        ("Fri", "2026-12-03T23:00:00"),
        ("  friday   18:00 ", "2026-12-04T17:00:00"),
        ("wednesday", "2026-12-08T23:00:00"),
        ("wed 23:00", "2026-12-09T22:00:00"),
        ("tuesday", "2026-12-07T23:00:00"),
        ("2026-12-04T18:00:00Z", "2026-12-04T18:00:00"),
        ("2026-12-04t18:00:00z", "2026-12-04T18:00:00"),
        ("2026-12-04T18:00:00.5+02:00", "2026-12-04T16:00:00.500000"),
        ("2026-12-04 18:00:00-05:00", "2026-12-04T23:00:00"),
    ],
)
def test_a_text_is_a_time(text: str, utc: str) -> None:
    assert parse_end(text, NOW).astimezone(UTC).isoformat() == f"{utc}+00:00"


def test_a_day_after_the_clocks_have_changed_begins_at_midnight() -> None:
    before = datetime(2026, 10, 23, 10, tzinfo=UTC)  # the Friday before summer time ends
    assert parse_end("monday", before).astimezone(UTC) == datetime(2026, 10, 25, 23, tzinfo=UTC)
    assert parse_end("3d", before) == before + timedelta(3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must be a time such as"),
        ("soon", "must be a time such as"),
        ("0m", "must be a time such as"),
        ("-2h", "must be a time such as"),
        ("99999d", "must be a time such as"),
        ("24:00", "must be a time such as"),
        ("friday 18:60", "must be a time such as"),
        ("2h30m", "must be a time such as"),
        ("2026-12-04T18:00:00", "needs an offset, such as 2026-12-04T18:00:00Z"),
        ("2026-12-04", "needs an offset, such as 2026-12-04T00:00:00Z"),
        ("2026-12-02T10:30:00Z", "Wednesday 2026-12-02 11:30:00 CET (2026-12-02T10:30:00Z) has pa"),
        ("today", "has passed"),
        ("2020-01-01T00:00:00Z", "has passed"),
    ],
)
def test_a_text_that_is_no_time_to_come_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the message is matched below
        parse_end(text, NOW)
    assert message in str(caught.value)


def test_a_time_is_shown_with_its_day_in_the_local_zone_and_in_utc() -> None:
    shown = "Friday 2026-12-04 18:00:00 CET (2026-12-04T17:00:00Z)"
    assert format_end(parse_end("friday 18:00", NOW)) == shown
    assert describe_end("2026-12-04T17:00:00Z") == shown


def test_in_utc_the_time_is_shown_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    assert describe_end("2026-12-04T17:00:00Z") == "Friday 2026-12-04 17:00:00 UTC"


@pytest.mark.parametrize(
    ("left", "text"),
    [
        (timedelta(seconds=1), "1 min"),
        (timedelta(minutes=5), "5 min"),
        (timedelta(hours=1, minutes=58, seconds=30), "1 h 59 min"),
        (timedelta(days=3, hours=4, minutes=5), "3 d 4 h"),
        (timedelta(), "0 min"),
        (timedelta(seconds=-90), "0 min"),
    ],
)
def test_the_time_left_has_two_units(left: timedelta, text: str) -> None:
    now = datetime(2026, 12, 4, tzinfo=UTC)
    assert format_time_left(now + left, now) == text
