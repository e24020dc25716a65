"""`lockgate serve`: the gateway, as production runs it."""

import argparse
from logging import getLogger

from config.loading import load_settings
from config.settings import Settings
from gateway.app import create_app
from gateway.cli.check import refuse_mistakes
from gateway.cli.heap import settle_heap
from gateway.cli.verb import Verbs, add_config_option, add_verb, run_on_loop, told_to_stop
from gateway.edge.serving import serving
from gateway.telemetry.log import event, logging_to_stderr

log = getLogger("lockgate")


def add_to(verbs: Verbs) -> None:
    """Add the verb."""
    parser = add_verb(
        verbs,
        "serve",
        run,
        purpose="Serve the gateway until SIGTERM.",
        example="lockgate serve --config lockgate.toml",
    )
    add_config_option(parser)


def run(options: argparse.Namespace) -> int:
    """Check the settings, then serve."""
    settings = load_settings(options.config)
    refuse_mistakes(settings)
    with logging_to_stderr(settings.log):
        run_on_loop(_serve(settings))
    return 0


async def _serve(settings: Settings) -> None:
    async with serving(create_app(settings), settings.server) as url:
        settle_heap()
        event(log, "gateway.started", url=url)
        await told_to_stop()
        event(log, "gateway.stopping")
