"""Loads the parts of a composite at once, under one budget, and says what is missing."""

from collections.abc import Mapping
from logging import ERROR, getLogger
from typing import TypeVar

from gateway.aggregation.executor import Inputs, PartExecutor
from gateway.aggregation.model import Composite, Degraded, DegradedReason
from gateway.request_context import RequestContext
from gateway.telemetry.log import log_event
from gateway.upstream.errors import UpstreamError

log = getLogger("lockgate.compose")

C = TypeVar("C", bound=Composite)


async def compose(model: type[C], inputs: Inputs, exchange: RequestContext) -> C:
    """Load every part of `model` and build it; the exchange is told of timings and what is missing.

    Raises:
        UpstreamError: a required part could not be loaded; the others are cancelled.
    """
    loading = PartExecutor(model.parts, inputs)
    try:
        await loading.run(model.allotments)
        return _built(model, loading, exchange)
    finally:
        # Their traces hold the loading: did it hold them, all would stay for long.
        loading.failures.clear()


def _built(model: type[C], loading: PartExecutor, exchange: RequestContext) -> C:
    seconds, failures = loading.seconds, loading.failures
    exchange.server_timing += [(part.name, seconds[part.name]) for part in model.parts]
    if not failures:
        return model(**loading.values, degraded=[])
    _report(failures, exchange)
    degraded = [
        Degraded(part=part.name, reason=_reason(failures[part.name]))
        for part in model.parts
        if part.name in failures
    ]
    return model(**loading.values, degraded=degraded)


def _reason(failure: Exception) -> DegradedReason:
    return failure.reason if isinstance(failure, UpstreamError) else "error"


def _report(failures: Mapping[str, Exception], exchange: RequestContext) -> None:
    """What is missing stands on the request's own line; a bug gets one more, with its trace."""
    told = (f"{name}: {failure or type(failure).__name__}" for name, failure in failures.items())
    exchange.log_fields["degraded"] = "; ".join(told)
    for name, failure in failures.items():
        if not isinstance(failure, UpstreamError):
            log_event(log, "part.failed", ERROR, failure, id=exchange.request_id, part=name)
