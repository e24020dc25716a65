"""`lockgate token`: gets a development token from the identity provider of a running demo."""

import argparse
import json
import sys
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlencode

from gateway.cli.subcommand import Subcommands, add_subcommand
from gateway.fakes.identity_provider import DEFAULT_PORT, TOKEN_PATH


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
    parser.add_argument("--json", action="store_true", help="print token and lifetime as JSON")


def run(options: argparse.Namespace) -> int:
    """Request a token from the demo's identity provider on loopback, and print it."""
    wanted = {"sub": options.user, "scope": " ".join(options.scope or ())}
    query = urlencode({name: value for name, value in wanted.items() if value})
    connection = HTTPConnection("127.0.0.1", options.port, timeout=5)
    try:
        connection.request("POST", f"{TOKEN_PATH}?{query}")
        response = connection.getresponse()
        issued = json.loads(response.read(65_536))
    except (OSError, HTTPException, ValueError) as error:
        print(
            f"lockgate: no demo responds on 127.0.0.1:{options.port} ({error}); "
            "start one with `lockgate demo`",
            file=sys.stderr,
        )
        return 1
    finally:
        connection.close()
    if response.status != 200:
        print(f"lockgate: {issued['detail']}", file=sys.stderr)
        return 1
    print(json.dumps(issued) if options.json else issued["access_token"])
    return 0
