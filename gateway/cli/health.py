"""`lockgate health`: asks the gateway or the ops app on this machine whether it is serving.

The image runs `python -m gateway.cli.health --pid 1` every few seconds. So this module imports only
the settings, which takes a quarter of the CPU time that importing the gateway takes.
"""

import argparse
import os
import sys
from http.client import HTTPConnection, HTTPException

from gateway.cli.served_process import NotServing, read_served_process
from gateway.cli.standard_streams import open_closed_streams, print_error, run_with_output
from gateway.cli.subcommand import Subcommands, add_config_option, add_subcommand
from gateway.settings.errors import PREFIX
from gateway.settings.loader import read_settings
from gateway.settings.schema import Ops, Server

_PATH = "/healthz"
_TIMEOUT_SECONDS = 2
_NAMES = {"server": "gateway", "ops": "ops app"}
"""The server of the port of each section of the settings."""

_EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def add_to(subcommands: Subcommands) -> None:
    """Add the subcommand to the parser."""
    parser = add_subcommand(
        subcommands,
        "health",
        run,
        purpose=(
            "Ask the gateway, or the ops app, on this machine if it is serving: exit status 0, "
            "otherwise 1."
        ),
        example="lockgate health --port 8080",
    )
    _add_options(parser)


def run(options: argparse.Namespace) -> int:
    """Send one request to the configured address. Returns 1 also if the settings are invalid."""
    if options.pid is not None:
        try:
            _follow_process(options)
        except NotServing as error:
            print_error(error)
            return 1
    section = "ops" if options.ops else "server"
    given = {f"{section}.host": options.host, f"{section}.port": options.port}
    overrides = {path: text for path, text in given.items() if text is not None}
    loaded = read_settings(options.config, overrides)
    if loaded.errors:
        for invalid in loaded.errors:
            print_error(invalid)
        return 1
    address: Server | Ops = getattr(loaded.settings, section)
    try:
        _request_health(address)
    except (OSError, HTTPException) as error:
        place = f"{address.host}, port {address.port}"
        print_error(f"the {_NAMES[section]} does not serve on {place}: {error}")
        return 1
    print(f"The {_NAMES[section]} is serving.")
    return 0


def _request_health(address: Server | Ops) -> None:
    """Request the liveness probe.

    Raises:
        OSError: nothing can be reached there, or it does not respond in time.
        HTTPException: it responds with another status than 200, or with no HTTP.
    """
    host = _EVERY_ADDRESS.get(address.host, address.host)
    connection = HTTPConnection(host, address.port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", _PATH)
        status = connection.getresponse().status
    finally:
        connection.close()
    if status != 200:
        raise HTTPException(f"it responded to {_PATH} with status {status}")


def _add_options(parser: argparse.ArgumentParser) -> None:
    add_config_option(parser)
    parser.add_argument("--ops", action="store_true", help="ask the ops port")
    parser.add_argument("--host", help="the address to ask (overrides that of the settings)")
    parser.add_argument("--port", help="the port to ask (overrides that of the settings)")
    parser.add_argument(
        "--pid",
        type=int,
        help=(
            "use the options and variables of `lockgate serve` or `lockgate ops` in this process "
            "(1 in a container)"
        ),
    )


def _follow_process(options: argparse.Namespace) -> None:
    """Complete the options, and the variables, with those of another process that serves.

    A container may serve with options, or set variables in its entry point: its health check sees
    neither. Variables that cannot be read, as those of another user, are left out. `lockgate ops`
    has the ops port alone.

    Raises:
        NotServing: neither the process nor one that it has started serves.
    """
    process = read_served_process(options.pid)
    options.ops = options.ops or process.subcommand == "ops"
    parser = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    add_config_option(parser)
    parser.add_argument("--host")
    parser.add_argument("--port")
    try:
        served, _ = parser.parse_known_args(process.options)
    except argparse.ArgumentError:  # the process is about to print it too
        return
    if served.config is not None:
        served.config = process.folder / "cwd" / served.config  # an absolute path stays as it is
    for name, value in vars(served).items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    for name, _, value in (entry.partition("=") for entry in process.read_environment()):
        if name.upper().startswith(PREFIX):
            os.environ.setdefault(name, value)


def main() -> int:
    """Run the subcommand alone."""
    parser = argparse.ArgumentParser(prog="python -m gateway.cli.health")
    _add_options(parser)
    open_closed_streams()
    return run_with_output(lambda: run(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
