"""Structured log events: a name and its fields, for any handler of the standard library."""

import json
import logging
from collections.abc import Mapping
from time import time

LogField = str | int | float

# Every attribute that the standard library sets on a record, for `%(filename)s` and the like.
# Copying a dict that already has all keys costs a tenth of growing an empty one.
_DEFAULTS: dict[str, object] = {
    "name": "",
    "msg": "",
    "args": (),
    "pathname": "",
    "filename": "",
    "module": "",
    "lineno": 0,
    "funcName": None,
    "exc_text": None,
    "stack_info": None,
    "thread": None,
    "threadName": None,
    "process": None,
    "processName": None,
    "taskName": None,
    "relativeCreated": 0.0,
    "levelno": 0,
    "levelname": "",
    "created": 0.0,
    "msecs": 0.0,
    "exc_info": None,
    "fields": {},
}


class LogEvent(logging.LogRecord):
    """A log record without source location, thread and process.

    The event name says where the event comes from. Finding the calling file, function, thread
    and process would cost more than writing the line.
    """

    fields: Mapping[str, LogField]

    def __init__(
        self,
        logger: str,
        level: int,
        name: str,
        error: BaseException | None,
        fields: Mapping[str, LogField],
    ) -> None:
        attributes = self.__dict__ = _DEFAULTS.copy()
        attributes["name"] = logger
        attributes["msg"] = name
        attributes["levelno"] = level
        attributes["levelname"] = logging.getLevelName(level)
        attributes["created"] = created = time()
        attributes["msecs"] = created % 1 * 1_000 // 1
        attributes["fields"] = fields
        if error is not None:
            attributes["exc_info"] = (type(error), error, error.__traceback__)

    def getMessage(self) -> str:  # noqa: N802 - the name of the standard library
        """Return the event and its fields, for the formatters of others: `%(message)s`."""
        return f"{self.msg} {format_fields(self.fields)}".rstrip()


def log_event(
    logger: logging.Logger,
    name: str,
    level: int = logging.INFO,
    error: BaseException | None = None,
    /,
    **fields: LogField,
) -> None:
    """Log one event, named by a noun and a verb, with its fields: `gateway.started url=http://...`.

    `error` adds its traceback to the line. A field must not be named `at`, `level`, `event`,
    `logger` or `exception`: the formatter uses these names.
    """
    if logger.isEnabledFor(level):
        logger.handle(LogEvent(logger.name, level, name, error, fields))


def format_fields(fields: Mapping[str, LogField]) -> str:
    """Format fields as `name=value`, with quotes around a value with spaces or line breaks."""
    return " ".join(f"{name}={_quote_if_needed(value)}" for name, value in fields.items())


def _quote_if_needed(value: LogField) -> str:
    text = str(value)
    return text if text.isprintable() and " " not in text else json.dumps(text)
