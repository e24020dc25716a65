"""What is logged: an event and its facts."""

import logging
from collections.abc import Mapping
from time import time

Fact = str | int | float

# All that the standard library notes of a record, for `%(filename)s` and the like to find. A copy
# of it that already has a place for what is filled in costs a tenth of one that has to grow.
_BLANK: dict[str, object] = {
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
    "facts": {},
}


class Event(logging.LogRecord):
    """A record for any handler, made without a look at the line of code that logged.

    The name of the event says where it is from; to find out the file, the function, the thread
    and the process would cost more than to write the line.
    """

    facts: Mapping[str, Fact]

    def __init__(
        self,
        logger: str,
        level: int,
        name: str,
        failure: BaseException | None,
        facts: Mapping[str, Fact],
    ) -> None:
        noted = self.__dict__ = _BLANK.copy()
        noted["name"] = logger
        noted["msg"] = name
        noted["levelno"] = level
        noted["levelname"] = logging.getLevelName(level)
        noted["created"] = created = time()
        noted["msecs"] = created % 1 * 1_000 // 1
        noted["facts"] = facts
        if failure is not None:
            noted["exc_info"] = (type(failure), failure, failure.__traceback__)
