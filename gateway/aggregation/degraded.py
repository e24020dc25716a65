"""`degraded`: the optional parts that are missing from a response, with the reasons."""

from collections.abc import Mapping, Sequence
from logging import ERROR, getLogger

from gateway.aggregation.model import Degraded, DegradedReason
from gateway.aggregation.part import BoundPart
from gateway.request_context import RequestContext
from gateway.telemetry.log import log_event
from gateway.upstream.errors import InvalidArgument, UpstreamError

log = getLogger("lockgate.aggregation")

_EXPECTED = (UpstreamError, InvalidArgument)


def describe_failures(
    parts: Sequence[BoundPart], failures: Mapping[str, BaseException], context: RequestContext
) -> list[Degraded]:
    """Return the entries of `degraded`, in the order of the parts, and log the failures."""
    if not failures:
        return []
    _report(failures, context)
    return [
        Degraded(part=part.name, reason=_get_reason(failures[part.name]))
        for part in parts
        if part.name in failures
    ]


def _get_reason(failure: BaseException) -> DegradedReason:
    return failure.reason if isinstance(failure, UpstreamError) else "error"


def _report(failures: Mapping[str, BaseException], context: RequestContext) -> None:
    """Add missing parts to the request log line; log each unexpected error with its traceback.

    The line has only the type of an unexpected error: its text may be long, or fail itself.
    """
    shown = (
        f"{name}: {failure if isinstance(failure, _EXPECTED) else type(failure).__name__}"
        for name, failure in failures.items()
    )
    context.log_fields["degraded"] = "; ".join(shown)
    # The failure of a shared part comes first, and is also that of every part that awaits it.
    first = {id(failure): name for name, failure in reversed(list(failures.items()))}
    for name, failure in failures.items():
        if first[id(failure)] == name and not isinstance(failure, _EXPECTED):
            log_event(log, "part.failed", ERROR, failure, id=context.request_id, part=name)
