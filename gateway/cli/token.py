"""`lockgate token`: another development token, from the identity provider of a running demo."""

import argparse
import json
import sys
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlencode

from gateway.cli.demo import SCOPES, USER
from gateway.cli.subcommand import Subcommands, add_subcommand
from gateway.demo.identity import TOKEN_PATH
from gateway.demo.serve_demo import PORTS


def add_to(verbs: Subcommands) -> None:
    """Add the verb."""
    parser = add_subcommand(
        verbs,
        "token",
        run,
        purpose="Print a development token; only a running demo takes it.",
        example="lockgate token --user 7 --scope dashboard:read",
    )
    parser.add_argument("--user", default=USER, metavar="ID", help=f"the user ({USER})")
    parser.add_argument(
        "--scope",
        action="append",
        metavar="SCOPE",
        help=f"repeat for several ({' '.join(SCOPES)})",
    )
    parser.add_argument("--port", type=int, default=PORTS["identity"], help="where the demo is")
    parser.add_argument("--json", action="store_true", help="print it with its lifetime as JSON")


def run(options: argparse.Namespace) -> int:
    """Ask the demo's identity provider on loopback."""
    asked = urlencode({"sub": options.user, "scope": " ".join(options.scope or SCOPES)})
    connection = HTTPConnection("127.0.0.1", options.port, timeout=5)
    try:
        connection.request("POST", f"{TOKEN_PATH}?{asked}")
        response = connection.getresponse()
        issued = json.loads(response.read(65_536))
    except (OSError, HTTPException, ValueError) as error:
        print(
            f"lockgate: no demo answers on 127.0.0.1:{options.port} ({error}); "
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
