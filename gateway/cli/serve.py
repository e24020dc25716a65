"""`lockgate serve`: runs the gateway in production."""

import argparse
import signal
from logging import getLogger

from gateway.app_loader import Application
from gateway.cli.check import CheckedGateway, require_valid
from gateway.cli.gc_tuning import tune_gc
from gateway.cli.off_features import list_off_features
from gateway.cli.signals import handle_signals, ignore_reload_signals
from gateway.cli.subcommand import (
    Subcommands,
    add_address_options,
    add_config_option,
    add_subcommand,
    list_address_overrides,
)
from gateway.cli.uvloop_runner import run_on_uvloop
from gateway.ops.open_ops import open_ops
from gateway.server.file_limit import raise_file_limit
from gateway.server.lifecycle import RunningServer, open_server
from gateway.settings.schema import Settings
from gateway.telemetry.log import log_event
from gateway.telemetry.log_writer import log_to_stderr

log = getLogger("lockgate")


def add_to(subcommands: Subcommands) -> None:
    """Add the subcommand to the parser."""
    parser = add_subcommand(
        subcommands,
        "serve",
        run,
        purpose="Serve the gateway until SIGINT or SIGTERM.",
        example="lockgate serve --config lockgate.toml --port 8080",
    )
    add_config_option(parser)
    add_address_options(parser, "server")


def run(options: argparse.Namespace) -> int:
    """Check the settings, then serve until a signal."""
    ignore_reload_signals()
    raise_file_limit()
    overrides = list_address_overrides(options, "server")
    gateway = require_valid(options.config, overrides)
    with log_to_stderr(gateway.settings.log):
        run_on_uvloop(_serve(gateway))
    return 0


async def _serve(gateway: CheckedGateway) -> None:
    assert gateway.app  # noqa: S101 - it has no errors
    settings = gateway.settings.server
    with handle_signals(settings) as signals:
        async with (
            signals.interrupt_start(),
            open_server(gateway.app, settings) as server,
            open_ops(gateway.settings, gateway.app.state.resources) as ops,
        ):
            tune_gc()
            package = _describe_package(gateway.application)
            limit = server.max_connections
            log_event(log, "gateway.started", url=server.url, max_connections=limit, **package)
            _log_ops(gateway.settings, ops)
            for feature in list_off_features(gateway.settings):
                log_event(log, "feature.off", feature=feature.name, needs=", ".join(feature.needs))
            received = await signals.wait()
            # Ctrl-C is a developer's: no load balancer has to notice.
            drain_seconds = settings.drain_seconds if received == signal.SIGTERM else 0
            log_event(log, "gateway.stopping", signal=received.name, drain_seconds=drain_seconds)
            await server.drain(drain_seconds)


def _log_ops(settings: Settings, server: RunningServer | None) -> None:
    """Log where the ops API is, unless it is off."""
    if server is not None:
        log_event(log, "ops.started", url=server.url)
    elif settings.ops.audience is not None:
        log_event(log, "ops.not_served", processes=settings.counters.processes)


def _describe_package(application: Application) -> dict[str, str]:
    """Return the log fields that name the package, and how it was found."""
    package = application.package
    return {"package": package.name, "found_by": package.source} if package else {}
