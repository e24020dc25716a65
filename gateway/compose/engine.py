"""Loads the parts of a composite at once, under one budget, and says what is missing."""

from collections.abc import Mapping
from logging import ERROR, getLogger
from typing import Any, TypeVar

from clients.errors import UpstreamError
from gateway.compose.loading import Inputs, Loading
from gateway.compose.model import Composite, Degraded, Reason
from gateway.exchange import Exchange
from gateway.telemetry.log import event

log = getLogger("lockgate.compose")

C = TypeVar("C", bound=Composite)


async def compose(model: type[C], inputs: Inputs, exchange: Exchange) -> C:
    """Load every part of `model` and build it; the exchange is told of timings and what is missing.

    Raises:
        UpstreamError: a required part could not be loaded; the others are cancelled.
    """
    ends = await Loading(model.parts, inputs).ends(model.clocks)
    values: dict[str, Any] = {}
    failures: dict[str, Exception] = {}
    for part, (value, failure, seconds) in zip(model.parts, ends, strict=True):
        exchange.timings.append((part.name, seconds))
        if failure is None:
            values[part.name] = value
        else:
            failures[part.name] = failure
    if failures:
        _report(failures, exchange)
    degraded = [Degraded(part=name, reason=_reason(error)) for name, error in failures.items()]
    return model(**values, degraded=degraded)


def _reason(failure: Exception) -> Reason:
    return failure.reason if isinstance(failure, UpstreamError) else "error"


def _report(failures: Mapping[str, Exception], exchange: Exchange) -> None:
    """What is missing stands on the request's own line; a bug gets one more, with its trace."""
    told = (f"{name}: {failure or type(failure).__name__}" for name, failure in failures.items())
    exchange.facts["degraded"] = "; ".join(told)
    for name, failure in failures.items():
        if not isinstance(failure, UpstreamError):
            event(log, "part.failed", ERROR, failure, id=exchange.request_id, part=name)
