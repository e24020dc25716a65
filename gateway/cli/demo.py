"""`lockgate demo`: the five demo services and the gateway in one go, with a token to paste."""

import argparse
from typing import Any

from gateway.app import create_app
from gateway.cli.subcommand import (
    Subcommands,
    add_config_option,
    add_subcommand,
    run_on_loop,
    wait_for_shutdown,
)
from gateway.demo.child_process import DemoProcess, run_demo_process
from gateway.demo.identity import AUDIENCE, ISSUER, JWKS_PATH
from gateway.demo.serve_demo import ANY_PORTS, PORTS
from gateway.server.lifecycle import open_server
from gateway.settings.loader import load_settings
from gateway.settings.schema import Issuer, Settings
from gateway.telemetry.log_writer import log_to_stderr

SCOPES = ("dashboard:read", "storefront:read")
USER = "42"


def add_to(verbs: Subcommands) -> None:
    """Add the verb."""
    parser = add_subcommand(
        verbs,
        "demo",
        run,
        purpose="Start the demo: five services, an identity provider and the gateway.",
        example="lockgate demo --any-ports",
    )
    add_config_option(parser)
    parser.add_argument("--any-ports", action="store_true", help="take whatever ports are free")


def run(options: argparse.Namespace) -> int:
    """Serve the demo until it is told to stop."""
    settings = load_settings(options.config)
    with log_to_stderr(settings.log.model_copy(update={"format": "text"})):
        run_on_loop(_demo(settings, any_ports=options.any_ports))
    return 0


async def _demo(settings: Settings, *, any_ports: bool) -> None:
    async with run_demo_process(
        latency_ms=settings.demo.latency_ms,
        ports=ANY_PORTS if any_ports else PORTS,
        user=USER,
        scopes=SCOPES,
    ) as demo:
        settings = demo_settings(settings, demo.urls, any_port=any_ports)
        async with open_server(create_app(settings), settings.server) as url:
            print(_welcome(url, demo), flush=True)
            await wait_for_shutdown()


def demo_settings(settings: Settings, urls: dict[str, str], *, any_port: bool) -> Settings:
    """The settings with the demo's services and identity provider in the place of real ones."""
    server = settings.server.model_dump() | {"host": "127.0.0.1"}
    if any_port:
        server["port"] = 0
    given: dict[str, Any] = settings.model_dump() | {"server": server}
    for name, service in given["upstreams"].items():
        service["url"] = urls.get(name, service["url"])
    given["issuers"] = [
        Issuer(issuer=ISSUER, audience=AUDIENCE, jwks_url=urls["identity"] + JWKS_PATH)
    ]
    return Settings.model_validate(given)


def _welcome(url: str, demo: DemoProcess) -> str:
    services = "\n".join(f"  {name:16} {at}" for name, at in demo.urls.items())
    return (
        f"The demo services (PUT /_dial on each makes it slow, hang, fail ...):\n{services}\n\n"
        f"Lockgate is up on {url}, its API is described at {url}/docs. Paste this:\n\n"
        f"curl -s -i -H 'Authorization: Bearer {demo.token}' {url}/dashboard/{USER}\n\n"
        "Ctrl-C stops all of it."
    )
