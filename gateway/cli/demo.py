"""`lockgate demo`: runs the five demo services and the gateway, and prints a token to use."""

import argparse
from typing import Any

from gateway.app import create_app
from gateway.cli.subcommand import (
    Subcommands,
    add_config_option,
    add_subcommand,
    run_on_uvloop,
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


def add_to(subcommands: Subcommands) -> None:
    """Add the subcommand to the parser."""
    parser = add_subcommand(
        subcommands,
        "demo",
        run,
        purpose="Start the demo: five services, an identity provider and the gateway.",
        example="lockgate demo --any-ports",
    )
    add_config_option(parser)
    parser.add_argument("--any-ports", action="store_true", help="listen on any free ports")


def run(options: argparse.Namespace) -> int:
    """Serve the demo until a signal."""
    settings = load_settings(options.config)
    with log_to_stderr(settings.log.model_copy(update={"format": "text"})):
        run_on_uvloop(_serve_demo(settings, use_any_ports=options.any_ports))
    return 0


async def _serve_demo(settings: Settings, *, use_any_ports: bool) -> None:
    async with run_demo_process(
        latency_ms=settings.demo.latency_ms,
        ports=ANY_PORTS if use_any_ports else PORTS,
        user=USER,
        scopes=SCOPES,
    ) as demo:
        settings = _replace_addresses(settings, demo.urls, use_any_port=use_any_ports)
        async with open_server(create_app(settings), settings.server) as url:
            print(_format_welcome(url, demo), flush=True)
            await wait_for_shutdown()


def _replace_addresses(settings: Settings, urls: dict[str, str], *, use_any_port: bool) -> Settings:
    """Replace the addresses of the services and the identity provider with the demo's."""
    server = settings.server.model_dump() | {"host": "127.0.0.1"}
    if use_any_port:
        server["port"] = 0
    values: dict[str, Any] = settings.model_dump() | {"server": server}
    for name, service in values["upstreams"].items():
        service["url"] = urls.get(name, service["url"])
    values["limits"] = settings.limits
    values["issuers"] = [
        Issuer(issuer=ISSUER, audience=AUDIENCE, jwks_url=urls["identity"] + JWKS_PATH)
    ]
    return Settings.model_validate(values)


def _format_welcome(url: str, demo: DemoProcess) -> str:
    services = "\n".join(f"  {name:16} {service_url}" for name, service_url in demo.urls.items())
    return (
        f"The demo services (PUT /_dial on each makes it slow, hang, fail ...):\n{services}\n\n"
        f"Lockgate is up on {url}, its API is described at {url}/docs. Paste this:\n\n"
        f"curl -s -i -H 'Authorization: Bearer {demo.token}' {url}/dashboard/{USER}\n\n"
        "Ctrl-C stops all of it."
    )
