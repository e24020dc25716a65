"""How an event is written: as one JSON object, or as one line to read."""

import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache

from pydantic_core import to_json

from gateway.telemetry.event import Event, Fact


class JsonFormat(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The event, its time in UTC, and its facts."""
        second = int(record.created)
        line: dict[str, object] = {
            "at": f"{_second(second)}.{int(record.msecs):03}+00:00",
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            "logger": record.name,
        }
        if isinstance(record, Event):
            line.update(record.facts)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return str(to_json(line, fallback=str), "utf-8")


class TextFormat(logging.Formatter):
    """One readable line."""

    def format(self, record: logging.LogRecord) -> str:
        """The event, its time of day in UTC, and its facts."""
        at = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S")
        facts = " ".join(f"{name}={_bare(fact)}" for name, fact in _facts(record).items())
        line = f"{at} {record.levelname.lower():7} {record.getMessage()} {facts}".rstrip()
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


@lru_cache(maxsize=2)
def _second(since_epoch: int) -> str:
    return datetime.fromtimestamp(since_epoch, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _facts(record: logging.LogRecord) -> Mapping[str, Fact]:
    return record.facts if isinstance(record, Event) else {}


def _bare(fact: Fact) -> str:
    """A fact without quotes where it needs none; a line break in it stays on the line."""
    text = str(fact)
    return text if text.isprintable() and " " not in text else json.dumps(text)
