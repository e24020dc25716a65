"""`RedisExchanges`: what a loop sends to Redis again and again, whether or not Redis is there."""

from collections.abc import Awaitable
from enum import Enum
from logging import WARNING, getLogger

from gateway.background_tasks import raise_lost_cancellation
from gateway.ops.process_channel import FAILURES
from gateway.telemetry.log import log_event

log = getLogger("lockgate.ops")


class ExchangeStatus(Enum):
    """Whether the last exchange has succeeded."""

    UNTRIED = "untried"
    OK = "ok"
    FAILED = "failed"


class RedisExchanges:
    """The exchanges of one loop. `event` is logged for the first of several failures."""

    # Each exchange leads to OK or FAILED. Invariants:
    # - `failure` is the kind of the last exception while FAILED, and otherwise "".
    # - `event` is logged with each change to FAILED, and not while it is FAILED.

    def __init__(self, event: str) -> None:
        self._event = event
        self.status = ExchangeStatus.UNTRIED
        self.failure = ""

    def __repr__(self) -> str:
        return f"<RedisExchanges {self._event} status={self.status.value} failure={self.failure!r}>"

    async def attempt(self, exchange: Awaitable[None]) -> bool:
        """Make an exchange, and return whether it has succeeded."""
        try:
            await exchange
        except FAILURES as error:
            self.fail(error)
        else:
            self.status, self.failure = ExchangeStatus.OK, ""
        raise_lost_cancellation()
        return self.status is ExchangeStatus.OK

    def fail(self, error: BaseException) -> None:
        """Note that an exchange has failed."""
        failure = type(error).__name__
        if self.status is not ExchangeStatus.FAILED:
            log_event(log, self._event, WARNING, reason=failure)
        self.status, self.failure = ExchangeStatus.FAILED, failure
