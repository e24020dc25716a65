"""Logs every attempt of a call to a service, at level debug."""

from asyncio import CancelledError
from logging import DEBUG, getLogger
from time import perf_counter

from gateway.telemetry.log import LogField, log_event
from gateway.upstream.call import Call
from gateway.upstream.call_policy import Attempt, CallPolicy, R, attempt_number
from gateway.upstream.errors import UpstreamError

log = getLogger("lockgate.upstream")


class CallLog(CallPolicy):
    """Logs `upstream.completed`: the template of the path without its values, and no header.

    A policy takes every call out of the fast path, so `open_client` adds this one only if the log
    has the level debug when the gateway starts.
    """

    def __init__(self, service: str) -> None:
        self._service = service

    async def __call__(self, call: Call, attempt: Attempt[R]) -> R:
        """Make one attempt."""
        started = perf_counter()
        outcome: dict[str, LogField] = {}
        try:
            response = await attempt()
            outcome["status"] = getattr(response, "status", 0)
        except UpstreamError as error:
            outcome = {"status": error.status or 0, "error": str(error)}
            raise
        except CancelledError:
            outcome = {"status": 0, "error": "cancelled"}
            raise
        finally:
            log_event(
                log,
                "upstream.completed",
                DEBUG,
                id=call.propagated.fields.get("x-request-id", ""),
                service=self._service,
                method=call.method,
                path=call.path,
                ms=int((perf_counter() - started) * 10_000 + 0.5) / 10,
                attempt=attempt_number.get(),
                **outcome,
            )
        return response
