"""`lockgate token`: gets a development token from the identity provider of a running demo."""

import argparse
import json
from http.client import HTTPException
from urllib.parse import urlencode

from gateway.cli.running_demo import request_token
from gateway.cli.standard_streams import print_error
from gateway.cli.subcommand import Subcommands, add_subcommand
from gateway.fakes.identity_endpoints import DEFAULT_PORT, OPERATOR, OPS_AUDIENCE
from gateway.ops.ops_scopes import OPS_SCOPES


def add_to(subcommands: Subcommands) -> None:
    """Add the subcommand to the parser."""
    parser = add_subcommand(
        subcommands,
        "token",
        run,
        purpose="Print a development token, which only the running demo accepts.",
        example="lockgate token --user 7 --scope dashboard:read",
    )
    parser.add_argument("--user", metavar="ID", help="user id (default: demo.user, which is 42)")
    parser.add_argument(
        "--scope",
        action="append",
        metavar="SCOPE",
        help="repeat for several scopes (default: all that a route of the gateway requires)",
    )
    parser.add_argument(
        "--port",
        type=int,
        default=DEFAULT_PORT,
        help=f"port of the demo's identity provider (default: {DEFAULT_PORT})",
    )
    parser.add_argument(
        "--ops", action="store_true", help="a token of an operator, for the ops API of the demo"
    )
    parser.add_argument("--json", action="store_true", help="print token and lifetime as JSON")


def run(options: argparse.Namespace) -> int:
    """Request a token from the demo's identity provider on loopback, and print it."""
    wanted = {"sub": options.user, "scope": " ".join(options.scope or ())}
    if options.ops:
        operator = {"sub": OPERATOR, "scope": " ".join(OPS_SCOPES), "audience": OPS_AUDIENCE}
        wanted = {**operator, **{name: value for name, value in wanted.items() if value}}
    query = urlencode({name: value for name, value in wanted.items() if value})
    try:
        status, issued = request_token(options.port, query)
    except (OSError, HTTPException, ValueError) as error:
        _print_absence(options.port, str(error))
        return 1
    if status == 200 and isinstance(issued.get("access_token"), str):
        print(json.dumps(issued) if options.json else issued["access_token"])
        return 0
    if status != 200 and isinstance(issued.get("detail"), str):
        print_error(issued["detail"])
    else:
        _print_absence(options.port, "another program responds")
    return 1


def _print_absence(port: int, reason: str) -> None:
    print_error(f"no demo responds on 127.0.0.1:{port} ({reason}); start one with `lockgate demo`")
