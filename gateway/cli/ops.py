"""`lockgate ops`: runs the ops app apart from the gateway processes, and hears all of them."""

import argparse
from collections.abc import Mapping
from logging import WARNING, getLogger

from gateway.cli.check import CheckedGateway, require_valid
from gateway.cli.signals import handle_signals, ignore_reload_signals
from gateway.cli.subcommand import (
    Subcommands,
    add_address_options,
    add_config_option,
    add_subcommand,
    list_address_overrides,
)
from gateway.cli.uvloop_runner import run_on_uvloop
from gateway.ops.open_ops import open_ops_alone
from gateway.ops.open_shared_state import open_shared_state
from gateway.ratelimit.policy import Policy
from gateway.ratelimit.used_policies import find_policies
from gateway.settings.errors import ConfigError, InvalidSettings
from gateway.settings.ops_conflicts import runs_apart
from gateway.settings.schema import Settings
from gateway.telemetry.log import log_event
from gateway.telemetry.log_writer import log_to_stderr

log = getLogger("lockgate")


def add_to(subcommands: Subcommands) -> None:
    """Add the subcommand to the parser."""
    parser = add_subcommand(
        subcommands,
        "ops",
        run,
        purpose="Serve the ops API for several gateway processes, which it hears through Redis.",
        example="lockgate ops --config lockgate.toml",
    )
    add_config_option(parser)
    add_address_options(parser, "ops")


def run(options: argparse.Namespace) -> int:
    """Check the settings, then serve the ops app until a signal."""
    ignore_reload_signals()
    overrides = list_address_overrides(options, "ops")
    gateway = require_valid(options.config, overrides)
    if gateway.settings.ops.audience is None:
        message = "is not set, so no token of an operator can be told from others"
        hint = "name the audience that the identity provider has for operators"
        raise InvalidSettings([ConfigError("ops.audience", message, hint)])
    with log_to_stderr(gateway.settings.log):
        run_on_uvloop(_serve(gateway))
    return 0


async def _serve(gateway: CheckedGateway) -> None:
    settings = gateway.settings
    with handle_signals(settings.server) as signals:
        async with (
            signals.interrupt_start(),
            open_shared_state(settings, _list_policies(gateway)) as resources,
            open_ops_alone(settings, resources) as server,
        ):
            log_event(log, "ops.started", url=server.url)
            if missing := _list_missing(settings):
                log_event(log, "ops.without_traffic", WARNING, needs=", ".join(missing))
            if settings.database_url is None:
                log_event(log, "ops.without_changes", WARNING, needs="database_url")
            received = await signals.wait()
            log_event(log, "ops.stopping", signal=received.name)


def _list_missing(settings: Settings) -> list[str]:
    """List the settings without which no gateway process can be seen."""
    missing = ["redis_url"] if settings.redis_url is None else []
    return missing if runs_apart(settings) else [*missing, "counters.processes"]


def _list_policies(gateway: CheckedGateway) -> Mapping[str, Policy]:
    """Return the policies of the package and of its routes, as the gateway has them."""
    assert gateway.app  # noqa: S101 - it has no errors
    return find_policies(gateway.app.router, gateway.application.policies)
