"""`lockgate limits status`: the state of all that the gateway needs, and of its processes."""

import argparse
from collections.abc import Iterator, Mapping

from gateway.cli.limits.exit_status import ExitStatus
from gateway.cli.limits.ops_address import find_ops_address
from gateway.cli.limits.ops_client import OpsClient
from gateway.cli.limits.terminal import format_rows, print_json, to_json
from gateway.cli.time_format import format_time
from gateway.ops.models import Covers, OpsStatus, Process

_HEAD = ("PART", "NAME", "STATE")
_NO_NAME = "-"


def run(options: argparse.Namespace) -> int:
    """Print a row for each part."""
    with OpsClient(find_ops_address(options)) as client:
        status = client.read_status()
    if options.json:
        print_json(to_json(status))
    else:
        print(format_rows(_HEAD, _iter_rows(status)))
    return ExitStatus.DONE


def _iter_rows(status: OpsStatus) -> Iterator[tuple[str, str, str]]:
    yield "redis", _NO_NAME, _describe_state(status.redis)
    yield "database", _NO_NAME, _describe_state(status.database)
    for provider in status.providers:
        yield "provider", provider.issuer, provider.state
    for service in status.services:
        yield "service", service.name, service.state
    for process in status.processes:
        yield "process", process.name, _describe_process(process)
    if not status.processes:
        yield "process", _NO_NAME, "none is known"
    yield "recording", _NO_NAME, _describe_recording(status.recording)


def _describe_state(state: Mapping[str, str | int | float]) -> str:
    """Return `degraded (redis down, reason TimeoutError)`."""
    details = [f"{name.replace('_', ' ')} {it}" for name, it in state.items() if name != "status"]
    text = str(state.get("status", "unknown"))
    return f"{text} ({', '.join(details)})" if details else text


def _describe_process(process: Process) -> str:
    started = format_time(process.started_at.timestamp())
    return f"seen {process.last_seen_seconds:.0f} s ago, started {started}"


def _describe_recording(recorded: Covers | None) -> str:
    if recorded is None:
        return "nothing is recorded"
    return f"{recorded.requests:,} requests in {recorded.seconds:,.0f} s"
