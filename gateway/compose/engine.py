"""Loads the parts of a composite at once, under one budget, and says what is missing."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from logging import ERROR, getLogger
from time import perf_counter
from typing import Any, TypeVar

from clients.deadline import deadline
from clients.errors import UpstreamError, UpstreamTimeout
from gateway.compose.model import Composite, Degraded, Reason
from gateway.compose.part import BoundPart
from gateway.exchange import Exchange
from gateway.telemetry.log import event

log = getLogger("lockgate.compose")

C = TypeVar("C", bound=Composite)

Inputs = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Loaded:
    """How one part ended: its value, or the failure that left it without; and how long it took."""

    value: Any
    failure: Exception | None
    seconds: float


async def compose(model: type[C], inputs: Inputs, exchange: Exchange) -> C:
    """Load every part of `model` and build it; the exchange is told of timings and what is missing.

    Raises:
        UpstreamError: a required part could not be loaded; the others are cancelled.
    """
    loaded = await _at_once(model.parts, inputs)
    values: dict[str, Any] = {}
    failures: dict[str, Exception] = {}
    for part, end in zip(model.parts, loaded, strict=True):
        exchange.timings.append((part.name, end.seconds))
        if end.failure is None:
            values[part.name] = end.value
        else:
            failures[part.name] = end.failure
    _report(failures, exchange)
    degraded = [Degraded(part=name, reason=_reason(error)) for name, error in failures.items()]
    return model(**values, degraded=degraded)


def _reason(failure: Exception) -> Reason:
    return failure.reason if isinstance(failure, UpstreamError) else "error"


def _report(failures: Mapping[str, Exception], exchange: Exchange) -> None:
    """What is missing stands on the request's own line; a bug gets one more, with its trace."""
    if failures:
        told = (
            f"{name}: {failure or type(failure).__name__}" for name, failure in failures.items()
        )
        exchange.facts["degraded"] = "; ".join(told)
    for name, failure in failures.items():
        if not isinstance(failure, UpstreamError):
            event(log, "part.failed", ERROR, failure, id=exchange.request_id, part=name)


async def _at_once(parts: Sequence[BoundPart], inputs: Inputs) -> list[Loaded]:
    """Run the parts together; the first to raise, or a cancellation, stops all the others."""
    tasks = [asyncio.create_task(_load(part, inputs), name=part.name) for part in parts]
    try:
        return await asyncio.gather(*tasks)
    finally:
        if not all(task.done() for task in tasks):
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        for task in tasks:
            task.cancelled() or task.exception()  # read, so that asyncio does not report it


async def _load(part: BoundPart, inputs: Inputs) -> Loaded:
    """Run one part to its end on its own clock; only a required part raises."""
    begun = perf_counter()
    value, failure = None, None
    try:
        value = await _fetch(part, inputs)
    except Exception as error:
        if part.required:
            raise
        failure = error
    return Loaded(value, failure, perf_counter() - begun)


async def _fetch(part: BoundPart, inputs: Inputs) -> Any:  # noqa: ANN401 - the field says the type
    asked = {parameter.name: inputs[parameter.name] for parameter in part.inputs}
    try:
        async with asyncio.timeout(part.timeout):
            with deadline(part.timeout):
                return await part.fetch(**asked)
    except TimeoutError as error:
        raise UpstreamTimeout(part.service, part.name, f"over {part.timeout} s") from error
