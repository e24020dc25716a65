"""`lockgate demo`: runs the gateway with fakes of its services, and prints tokens to use."""

import argparse
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from gateway.app import create_app
from gateway.app_loader import Application, load_application
from gateway.auth.route_access import Requires
from gateway.cli.demo_database import add_demo_client, use_database_in
from gateway.cli.demo_settings import list_replaced, replace_addresses
from gateway.cli.limits.ops_address import DEFAULT_URL
from gateway.cli.own_command import format_own_command
from gateway.cli.signals import handle_signals, ignore_reload_signals
from gateway.cli.subcommand import Subcommands, add_config_option, add_subcommand
from gateway.cli.uvloop_runner import run_on_uvloop
from gateway.fakes.child_process import FakesPlan, RunningFakes, run_fakes
from gateway.fakes.identity_endpoints import DEFAULT_PORT
from gateway.fakes.load_fakes import load_fakes
from gateway.oauth.routes import ENDPOINTS
from gateway.ops.open_ops import open_ops
from gateway.ops.ops_scopes import READ, WRITE
from gateway.route_list import list_routes
from gateway.server.file_limit import raise_file_limit
from gateway.server.lifecycle import open_server
from gateway.settings.app_package import NoAppPackage
from gateway.settings.client_variables import OPS_TOKEN_VARIABLE, OPS_URL_VARIABLE
from gateway.settings.errors import ConfigError, InvalidSettings, suggest_nearest
from gateway.settings.loader import load_settings
from gateway.settings.schema import Settings
from gateway.storage.open_storage import Storage
from gateway.telemetry.log_writer import log_to_stderr

_LOOPBACK = {"127.0.0.1", "localhost"}


@dataclass(frozen=True, slots=True)
class _Demo:
    """The running demo: `given` has the settings of the package, `secret` is of the client."""

    given: Settings
    settings: Settings
    application: Application
    plan: FakesPlan
    secret: str


class _Urls(NamedTuple):
    """The URLs of the public port and of the ops port."""

    gateway: str
    ops: str


def add_to(subcommands: Subcommands) -> None:
    """Add the subcommand to the parser."""
    parser = add_subcommand(
        subcommands,
        "demo",
        run,
        purpose="Start the gateway with fakes of its services and an identity provider.",
        example="lockgate demo --real orders",
    )
    add_config_option(parser)
    parser.add_argument("--any-ports", action="store_true", help="listen on any free ports")
    parser.add_argument(
        "--real",
        action="append",
        default=[],
        metavar="SERVICE",
        help="call this service at its address instead of a fake; repeat for several",
    )


def run(options: argparse.Namespace) -> int:
    """Serve the gateway and the fakes until a signal; nothing drains."""
    ignore_reload_signals()
    raise_file_limit()
    given = load_settings(options.config)
    try:
        application = load_application(given.app)
    except NoAppPackage as error:
        message = "the demo shop is part of Lockgate's repository: clone it and run `make run`"
        hint = "for a gateway of your own, run `lockgate new PATH`"
        raise NoAppPackage([ConfigError("demo", message, hint)]) from error
    with (
        log_to_stderr(given.log.model_copy(update={"format": "text"})),
        TemporaryDirectory(prefix="lockgate-") as folder,  # only its owner can enter it
    ):
        settings = use_database_in(Path(folder), given)
        plan = _plan_fakes(settings, application, options)
        secret = add_demo_client(settings, plan.scopes)
        run_on_uvloop(_serve_demo(_Demo(given, settings, application, plan, secret), options))
    return 0


async def _serve_demo(demo: _Demo, options: argparse.Namespace) -> None:
    with handle_signals(demo.settings.server) as signals:
        async with signals.interrupt_start(), run_fakes(demo.plan) as fakes:
            settings = replace_addresses(
                demo.settings, fakes.urls, fakes.identity_url, use_any_port=options.any_ports
            )
            app = create_app(settings, application=demo.application)
            async with (
                open_server(app, settings.server) as server,
                open_ops(settings, app.state.resources) as ops,
            ):
                assert ops is not None  # noqa: S101 - `replace_addresses` sets its audience
                storage: Storage = app.state.resources[Storage]
                await storage.feed.refresh()  # until then, each token gets a 503
                print(_format_addresses(fakes, demo.given, settings))
                urls = _Urls(server.url, ops.url)
                welcome = _format_welcome(urls, fakes, settings, demo.secret)
                print(f"{welcome}{_format_end(options.config)}", flush=True)
                await signals.wait()


def _plan_fakes(
    settings: Settings, application: Application, options: argparse.Namespace
) -> FakesPlan:
    """Plan a fake for each service that `--real` does not name.

    A fake listens on the port of the address in the settings, if that is on this machine.

    Raises:
        InvalidSettings: the module of a fake cannot be imported, or `--real` names no service.
    """
    known = {*application.clients, *(proxy.to for proxy in application.proxies)}
    if unknown := [name for name in options.real if name not in known]:
        hint = suggest_nearest(unknown[0], known)
        raise InvalidSettings([ConfigError("--real", f"no such service: {unknown[0]}", hint)])
    assert application.package  # noqa: S101 - `load_application` sets it
    fakes = load_fakes(application.package)
    routes = list_routes(create_app(settings, application=application), application.policies)
    scopes = {
        scope
        for route in routes
        if isinstance(route.access, Requires)
        for scope in route.access.scopes
    }
    services = [name for name in fakes if name in known and name not in options.real]
    return FakesPlan(
        package=application.package,
        services=services,
        ports={} if options.any_ports else dict(_iter_local_ports(settings)),
        identity_port=0 if options.any_ports else DEFAULT_PORT,
        latency_ms=settings.demo.latency_ms,
        user=settings.demo.user,
        scopes=sorted(scopes),
        operator_scopes=(READ, WRITE),
    )


def _iter_local_ports(settings: Settings) -> Iterator[tuple[str, int]]:
    for name, service in settings.upstreams.items():
        if service.url.host in _LOOPBACK and service.url.port:
            yield name, service.url.port


def _format_addresses(fakes: RunningFakes, given: Settings, settings: Settings) -> str:
    """List the services, and the settings that the demo replaces."""
    urls = {"identity": fakes.identity_url} | fakes.urls
    services = "\n".join(f"  {name:16} {service_url}" for name, service_url in urls.items())
    real = [name for name in settings.upstreams if name not in fakes.urls]
    warning = f"Without a fake, at their real addresses: {', '.join(real)}\n" if real else ""
    replaced = ", ".join(list_replaced(given, settings))
    note = f"The demo replaces these settings with its own: {replaced}\n" if replaced else ""
    return (
        "The fake services (PUT /_dial on each makes it slow, hang, fail ...):\n"
        f"{services}\n{warning}{note}"
        f"Its database, which is deleted at the end: {settings.database_url}\n"
    )


def _format_welcome(urls: _Urls, fakes: RunningFakes, settings: Settings, secret: str) -> str:
    url = urls.gateway
    described = f", its API is described at {url}/docs" if settings.server.docs else ""
    client, (token_path, _) = settings.demo.client, ENDPOINTS["token_endpoint"]
    return (
        f"Lockgate is up on {url}{described}. Paste this:\n\n"
        f"curl -s -i -H 'Authorization: Bearer {fakes.token}' {url}{settings.demo.path}\n\n"
        f"With its secret, the client {client} gets a token of its own from the gateway:\n\n"
        f"curl -s -u {client}:{secret} -d grant_type=client_credentials {url}{token_path}\n\n"
        f"{_format_operator(urls.ops, fakes.operator_token)}"
        f"{_format_commands(urls, fakes, settings, secret)}"
    )


def _format_operator(ops_url: str, token: str) -> str:
    """Say how an operator changes limits; `lockgate limits` finds a demo at its own address."""
    command = f"{format_own_command()} limits list"
    head = (
        f"Operators tune the limits at {ops_url}, in a console with this token, which is valid for "
        f"an hour:\n\n{token}\n\n"
    )
    if ops_url == DEFAULT_URL:
        return f"{head}`{command}` lists them, and `limits set --help` says how to change one.\n\n"
    variables = f"{OPS_URL_VARIABLE}={ops_url} {OPS_TOKEN_VARIABLE}={token}"
    return f"{head}The same from a shell:\n\nexport {variables}\n{command}\n\n"


def _format_commands(urls: _Urls, fakes: RunningFakes, settings: Settings, secret: str) -> str:
    if not settings.demo.commands:
        return ""
    variables = {
        "URL": urls.gateway,
        "TOKEN": fakes.token,
        "CLIENT": f"{settings.demo.client}:{secret}",
        "OPS": urls.ops,
        "OPS_TOKEN": fakes.operator_token,
    }
    line = " ".join(f"{name}={value}" for name, value in variables.items())
    head = "Then this, and the lines below it, in this order:\n"
    return "\n".join([head, f"{line}\n", *settings.demo.commands, "\n"])


def _format_end(config: Path | None) -> str:
    command = format_own_command()
    option = f" --config {shlex.quote(str(config))}" if config else ""
    return (
        f"`{command} routes{option}` lists the routes; `{command} new PATH` writes a gateway of "
        "your own.\n"
        "Ctrl-C stops all of it."
    )
