"""Loads the parts of a composite at once, under one budget, and says what is missing."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from logging import ERROR, WARNING, getLogger
from time import perf_counter
from typing import Any, TypeVar

from clients.deadline import deadline
from clients.errors import UpstreamError, UpstreamTimeout
from gateway.compose.model import Composite, Degraded, Reason
from gateway.compose.part import BoundPart
from gateway.telemetry.log import event

log = getLogger("lockgate.compose")

C = TypeVar("C", bound=Composite)

Inputs = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Loaded:
    """How one part ended: its value, or the reason that it has none; and how long it took."""

    value: Any
    reason: Reason | None
    seconds: float


async def compose(model: type[C], inputs: Inputs, timings: list[tuple[str, float]]) -> C:
    """Load every part of `model` and build it; `timings` receives (part, seconds) pairs.

    Raises:
        UpstreamError: a required part could not be loaded; the others are cancelled.
    """
    loaded = await _at_once(model.parts, inputs)
    values: dict[str, Any] = {"degraded": []}
    for part, end in zip(model.parts, loaded, strict=True):
        timings.append((part.name, end.seconds))
        if end.reason is None:
            values[part.name] = end.value
        else:
            values["degraded"].append(Degraded(part=part.name, reason=end.reason))
    return model(**values)


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
    reason: Reason
    try:
        return Loaded(await _fetch(part, inputs), None, perf_counter() - begun)
    except UpstreamError as error:
        if part.required:
            raise
        event(log, "part.degraded", WARNING, part=part.name, error=str(error))
        reason = error.reason
    except Exception as error:
        if part.required:
            raise
        event(log, "part.failed", ERROR, error, part=part.name)
        reason = "error"
    return Loaded(None, reason, perf_counter() - begun)


async def _fetch(part: BoundPart, inputs: Inputs) -> Any:  # noqa: ANN401 - the field says the type
    asked = {parameter.name: inputs[parameter.name] for parameter in part.inputs}
    try:
        async with asyncio.timeout(part.timeout):
            with deadline(part.timeout):
                return await part.fetch(**asked)
    except TimeoutError as error:
        raise UpstreamTimeout(part.service, part.name, f"over {part.timeout} s") from error
