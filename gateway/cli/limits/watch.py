"""`lockgate limits watch`: the requests per second under every policy, live."""

import argparse
import sys
import time
from collections.abc import Iterator
from itertools import count
from shutil import get_terminal_size
from threading import Event

from gateway.cli.limits.change import describe_limit
from gateway.cli.limits.exit_status import ExitStatus
from gateway.cli.limits.ops_address import find_ops_address
from gateway.cli.limits.ops_client import OpsClient
from gateway.cli.limits.ops_refusal import OpsClientError, OpsRefusal
from gateway.cli.limits.terminal import format_rows, print_json, to_json
from gateway.cli.standard_streams import print_error
from gateway.cli.time_format import format_time
from gateway.ops.models import LimitList, UsageNow, UsageRates
from gateway.settings.errors import escape

_HEAD = ("POLICY", "VERSION", "ALLOWED/S", "REFUSED/S", "SHADOW-REFUSED/S", "LIMIT")
_NONE = UsageRates(allowed=0, refused=0, shadow_refused=0)
_OTHER_LINES = 3  # above and below the table, and that of the cursor
_CLEAR = "\x1b[H\x1b[2J"  # the cursor to the top left, and erase (ECMA-48)


def run(options: argparse.Namespace) -> int:
    """Read the usage again and again, and redraw it; plain lines if the output is no terminal.

    A later reading without a response is reported, and the next one follows: a gateway that is
    restarted does not end it. A refusal of the ops app does, and a first reading without a
    response, because the address is wrong then.
    """
    try:
        with OpsClient(find_ops_address(options)) as client:
            return _read(options, client)
    except KeyboardInterrupt:
        if sys.stdout.isatty():
            print()  # the prompt of the shell follows the ^C otherwise
        raise


def _read(options: argparse.Namespace, client: OpsClient) -> ExitStatus:
    """Return `FAILED` if the last of `--count` readings knows nothing of the traffic."""
    pause = Event()  # never set: a wait that Ctrl-C interrupts
    status = ExitStatus.DONE
    for number in count() if options.count is None else range(options.count):
        if number:
            pause.wait(options.every)
        try:
            status = _print_reading(options, client.list_limits(), client.read_usage_now())
        except OpsClientError as error:
            is_refused = isinstance(error, OpsRefusal) and error.status < 500
            if is_refused or not number:
                raise
            status = ExitStatus.FAILED
            print_error(f"{format_time(time.time())} {'; '.join(error.messages)}")
    return status


def _print_reading(options: argparse.Namespace, limits: LimitList, usage: UsageNow) -> ExitStatus:
    if options.json:
        versions = {it.name: it.version for it in limits.limits}
        print_json({**to_json(usage), "versions": versions})
    elif usage.fault is not None:
        # No rates: 0.0 would say that there are no requests.
        print_error(f"{format_time(usage.now)} {escape(usage.fault)}")
        return ExitStatus.FAILED
    elif sys.stdout.isatty():
        columns = get_terminal_size().columns  # a line that breaks would need two
        print(_CLEAR + "\n".join(line[:columns] for line in _iter_screen(limits, usage)))
    else:
        print(*_iter_lines(limits, usage), sep="\n")
    sys.stdout.flush()
    return ExitStatus.DONE


def _iter_screen(limits: LimitList, usage: UsageNow) -> Iterator[str]:
    seen = ", ".join(f"{it.name} ({it.last_seen_seconds:.0f} s ago)" for it in usage.processes)
    count = len(usage.processes)
    yield f"{format_time(usage.now)}  processes seen: {count}{f', {escape(seen)}' if seen else ''}"
    table = format_rows(_HEAD, _iter_rows(limits, usage)).splitlines()
    shown = max(2, get_terminal_size().lines - _OTHER_LINES)
    yield from table[:shown]
    hidden = f"{len(table) - shown} more do not fit the window. " if len(table) > shown else ""
    yield f"{hidden}Ctrl-C ends it."


def _iter_lines(limits: LimitList, usage: UsageNow) -> Iterator[str]:
    """Yield a line for each policy, which a program can split at its spaces."""
    at = format_time(usage.now)
    for name, version, allowed, refused, shadow, limit in _iter_rows(limits, usage):
        yield (
            f"{at} {name} version={version} allowed={allowed} refused={refused} "
            f"shadow_refused={shadow} limit={limit}"
        )


def _iter_rows(limits: LimitList, usage: UsageNow) -> Iterator[tuple[str, ...]]:
    for limit in limits.limits:
        rates = usage.policies.get(limit.name, _NONE)
        numbers = (rates.allowed, rates.refused, rates.shadow_refused)
        yield (
            limit.name,
            str(limit.version),
            *(f"{it:.1f}" for it in numbers),
            describe_limit(limit),
        )
