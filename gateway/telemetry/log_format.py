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
        at = f"{_second(int(record.created))}.{int(record.msecs):03}+00:00"
        if isinstance(record, Event):
            said = _described_once(record.levelname, record.msg, record.name)
            if record.facts:
                said = f"{said},{_members(record.facts)}"
        else:
            said = _described(record.levelname, record.getMessage(), record.name)
        if record.exc_info:
            said = f"{said},{_members({'exception': self.formatException(record.exc_info)})}"
        return f'{{"at":"{at}",{said}}}'


class TextFormat(logging.Formatter):
    """One readable line."""

    def format(self, record: logging.LogRecord) -> str:
        """The event, its time of day in UTC, and its facts."""
        at = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S")
        facts = " ".join(f"{name}={_bare(fact)}" for name, fact in _facts(record).items())
        line = f"{at} {record.levelname.lower():7} {record.getMessage()} {facts}".rstrip()
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def _described(level: str, event: str, logger: str) -> str:
    """What happened and where, as members of a line."""
    return _members({"level": level.lower(), "event": event, "logger": logger})


# The names of events are few, so that each is written but once.
_described_once = lru_cache(maxsize=256)(_described)


def _members(of: Mapping[str, object]) -> str:
    return str(to_json(of, fallback=str), "utf-8")[1:-1]


@lru_cache(maxsize=2)
def _second(since_epoch: int) -> str:
    return datetime.fromtimestamp(since_epoch, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _facts(record: logging.LogRecord) -> Mapping[str, Fact]:
    return record.facts if isinstance(record, Event) else {}


def _bare(fact: Fact) -> str:
    """A fact without quotes where it needs none; a line break in it stays on the line."""
    text = str(fact)
    return text if text.isprintable() and " " not in text else json.dumps(text)
