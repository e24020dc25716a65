"""`lockgate token`: gets a development token from the identity provider of a running demo."""

import argparse
import json
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlencode

from gateway.cli.standard_streams import print_error
from gateway.cli.subcommand import Subcommands, add_subcommand
from gateway.fakes.identity_endpoints import DEFAULT_PORT, TOKEN_PATH


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
    try:
        status, issued = _request_token(options.port, query)
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


def _request_token(port: int, query: str) -> tuple[int, dict[str, Any]]:
    """Return the status and the document of the response; {} for JSON that is not a document.

    Raises:
        OSError: nothing responds on the port.
        HTTPException: the response is not HTTP.
        ValueError: the body is not JSON.
    """
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("POST", f"{TOKEN_PATH}?{query}")
        response = connection.getresponse()
        document = json.loads(response.read(65_536))
    finally:
        connection.close()
    return response.status, document if isinstance(document, dict) else {}


def _print_absence(port: int, reason: str) -> None:
    print_error(f"no demo responds on 127.0.0.1:{port} ({reason}); start one with `lockgate demo`")
