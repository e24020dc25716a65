"""Describes what a simulation has found."""

from collections.abc import Iterator, Mapping

from gateway.cli.limits.terminal import format_rows
from gateway.cli.time_format import format_time
from gateway.ops.models import Covers, SimulationResult
from gateway.settings.errors import escape

_HEAD = ("KEY", "CALLER", "REQUESTS", "NEWLY REFUSED", "NEWLY ADMITTED")


def describe_effect(simulation: SimulationResult, max_keys: int) -> Iterator[str]:
    """Yield lines: the requests, the effect on them, and the callers with the largest effect."""
    effect = simulation.effect
    yield f"Simulated on {_describe_covers(simulation.covers)}."
    yield "Compared with what is in force now:"
    yield f"  newly refused   {_format_share(effect.newly_refused, effect.requests)}"
    yield f"  newly admitted  {_format_share(effect.newly_admitted, effect.requests)}"
    yield f"  refused in all  {effect.refused_before:,} -> {effect.refused_after:,}"
    if effect.shadow_refused:
        yield f"  {effect.shadow_refused:,} more would be refused without shadow"
    keys = simulation.keys[:max_keys]
    if keys:
        rows = [
            (it.key, it.caller or "-", str(it.requests), str(it.newly_refused),
             str(it.newly_admitted))
            for it in keys
        ]  # fmt: skip
        yield format_rows(_HEAD, rows)
    yield f"Accuracy: {escape(simulation.accuracy)}"


def describe_left_out(left_out: Mapping[str, int]) -> str:
    """Return how many requests were not replayed, by reason; "" if all were."""
    return escape(", ".join(f"{count:,} {reason}" for reason, count in left_out.items()))


def _describe_covers(covers: Covers) -> str:
    times = [format_time(it.timestamp()) for it in (covers.from_, covers.to) if it is not None]
    text = f"{covers.requests:,} requests"
    if covers.keys is not None:
        text += f" of {covers.keys:,} caller{'' if covers.keys == 1 else 's'}"
    if times:
        text += f" from {' to '.join(times)}"
    text += f", recorded by {escape(', '.join(covers.processes)) or 'no process'}"
    left_out = describe_left_out(covers.left_out)
    return text + (f" (left out: {left_out})" if left_out else "")


def _format_share(count: int, requests: int) -> str:
    return f"{count:,} ({count / requests:.1%})" if requests else f"{count:,}"
