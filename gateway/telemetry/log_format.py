"""Formats log lines: one JSON object a line, or one line of text for people."""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache

from pydantic_core import PydanticSerializationError, to_json

from gateway.settings.errors import escape
from gateway.telemetry.log import LogEvent


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON object on one line."""

    def format(self, record: logging.LogRecord) -> str:
        """Serialize the time in UTC, level, event name, logger, and the fields of the event."""
        timestamp = f"{_format_second(int(record.created))}.{int(record.msecs):03}+00:00"
        if isinstance(record, LogEvent):
            members = _serialize_event_cached(record.levelname, record.msg, record.name)
            if record.fields:
                members = f"{members},{_serialize_members(record.fields)}"
        else:
            members = _serialize_event(record.levelname, record.getMessage(), record.name)
        if record.exc_info:
            exception = {"exception": self.formatException(record.exc_info)}
            members = f"{members},{_serialize_members(exception)}"
        return f'{{"at":"{timestamp}",{members}}}'


class TextFormatter(logging.Formatter):
    """Formats a record as one readable line; a traceback follows on indented lines of its own.

    Characters that are not printable are escaped: a text from outside can neither forge a line
    nor control the terminal.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Write the time in UTC, level, event name, and the fields as `name=value`."""
        timestamp = f"{_format_second(int(record.created))}Z"
        line = f"{timestamp} {record.levelname.lower():7} {escape(record.getMessage())}".rstrip()
        if record.exc_info:
            for line_of_traceback in self.formatException(record.exc_info).split("\n"):
                line += f"\n    {escape(line_of_traceback)}"
        return line


def _serialize_event(level: str, event: str, logger: str) -> str:
    return _serialize_members({"level": level.lower(), "event": event, "logger": logger})


# There are few event names: these members are serialized once for each.
_serialize_event_cached = lru_cache(maxsize=256)(_serialize_event)


def _serialize_members(members: Mapping[str, object]) -> str:
    """Serialize the members of a JSON object, without its braces."""
    try:
        return str(to_json(members, fallback=str), "utf-8")[1:-1]
    except PydanticSerializationError:
        # A lone surrogate has no UTF-8 form: the text of an exception may quote one from a client.
        escaped = {name: _escape_surrogates(value) for name, value in members.items()}
        return str(to_json(escaped, fallback=str), "utf-8")[1:-1]


def _escape_surrogates(value: object) -> object:
    """Return a text with each lone surrogate as its escape sequence; any other value unchanged."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


@lru_cache(maxsize=2)
def _format_second(since_epoch: int) -> str:
    return datetime.fromtimestamp(since_epoch, UTC).strftime("%Y-%m-%dT%H:%M:%S")
