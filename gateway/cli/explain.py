"""`lockgate explain`: says what the gateway would do with a request, without sending anything on.

The token is read from standard input and verified with the real keys. It is never printed. If the
settings have no issuer, the keys are those of the demo that runs on this machine.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import fields
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import Any

from gateway.auth.principal import Principal
from gateway.auth.proof_verifier import ProofVerifier
from gateway.auth.verifier import TokenVerifier
from gateway.cli.check import CheckedGateway, require_valid
from gateway.cli.demo_settings import sign_internal_tokens, trust_identity_provider
from gateway.cli.routes import limit_to_json
from gateway.cli.running_demo import find_demo
from gateway.cli.standard_streams import print_error
from gateway.cli.subcommand import Subcommands, add_config_option, add_subcommand
from gateway.cli.table import format_table
from gateway.dpop.assumed_proof import AssumedProof
from gateway.explanation.explain_request import explain_request
from gateway.explanation.explaining_verifier import open_explaining_verifier
from gateway.explanation.explanation import Explanation, GuardRule
from gateway.explanation.stored_state import open_stored_state
from gateway.fakes.identity_endpoints import DEFAULT_PORT
from gateway.identity.temporary_key_file import create_temporary_key_file
from gateway.proxy.declaration.methods import PROXIED_METHODS
from gateway.ratelimit.settings_rates import apply_rates
from gateway.ratelimit.used_policies import find_claims, find_policies
from gateway.settings.errors import escape
from gateway.settings.schema import Settings

_MAX_TOKEN_BYTES = 65_536
_METHODS = frozenset({*PROXIED_METHODS, "TRACE"})
_MARKS = {True: "yes", False: "no", None: "-"}


def add_to(subcommands: Subcommands) -> None:
    """Add the subcommand to the parser."""
    parser = add_subcommand(
        subcommands,
        "explain",
        run,
        purpose=(
            "Say what the gateway would do with a request, and why, without sending it on. The "
            "exit status is 0 if the request would be admitted, 1 if it would be refused. The "
            "token is read from standard input: an argument would be in the history of the shell."
        ),
        example="lockgate token | lockgate explain GET /dashboard/42",
    )
    parser.add_argument("method", metavar="METHOD", type=_parse_method, help="the method")
    parser.add_argument(
        "target",
        metavar="PATH",
        type=_parse_target,
        help="the path of the request, escaped as in a URL; it may have a query",
    )
    add_config_option(parser)
    parser.add_argument(
        "--no-token",
        action="store_true",
        help="do not read a token from standard input",
    )
    parser.add_argument(
        "--demo-port",
        type=int,
        default=DEFAULT_PORT,
        metavar="PORT",
        help=(
            "port of the identity provider of the demo, whose tokens are accepted if the settings "
            f"have no issuer (default: {DEFAULT_PORT})"
        ),
    )
    parser.add_argument("--json", action="store_true", help="print the explanation as JSON")


def run(options: argparse.Namespace) -> int:
    """Print the explanation. Returns 0 if the request would be admitted, otherwise 1."""
    with ExitStack() as stack:
        trust_demo = partial(_trust_demo, options.demo_port, stack)
        checked = require_valid(options.config, {}, complete=trust_demo, needs_database=False)
        token = None if options.no_token else _read_token()
        explanation = asyncio.run(_explain(checked, options.method, options.target, token))
    if options.json:
        print(json.dumps(_to_json(explanation)))
    else:
        print("\n".join(_iter_lines(explanation)))
    return 0 if _is_admitted(explanation) else 1


def _trust_demo(port: int, stack: ExitStack, settings: Settings) -> Settings:
    """Return the settings of the demo that runs on this machine, if these have no issuer.

    Its key file, which only completes the settings, is deleted with the stack.
    """
    url = None if settings.issuers else find_demo(port)
    if url is None:
        return settings
    print_error(f"the settings have no issuer, so the tokens of the demo at {url} are accepted")
    key_file = stack.enter_context(create_temporary_key_file())
    return trust_identity_provider(sign_internal_tokens(settings, key_file), url)


def _parse_method(text: str) -> str:
    if text.upper() not in _METHODS:
        message = f"{text!r} is not a method that the server parses, such as GET"
        raise argparse.ArgumentTypeError(message)
    return text.upper()


def _parse_target(text: str) -> str:
    if not text.startswith("/"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a path; it must begin with /")
    if not text.isascii() or not text.isprintable() or " " in text or "#" in text:
        raise argparse.ArgumentTypeError(f"{text!r} must be escaped as in a URL: a space is %20")
    return text


def _read_token() -> str | None:
    """Read a token from standard input, with or without its scheme; None if it is a terminal."""
    if sys.stdin.isatty():
        print_error("no token is read from a terminal; pipe one, as `lockgate token | ...`")
        return None
    data = sys.stdin.buffer.read(_MAX_TOKEN_BYTES)
    text = data.decode("utf-8", "replace").strip()
    for scheme in ("Bearer ", "DPoP "):
        text = text.removeprefix(scheme)
    return text.strip() or None


async def _explain(
    checked: CheckedGateway, method: str, target: str, token: str | None
) -> Explanation:
    app, settings = checked.app, checked.settings
    if app is None:
        raise RuntimeError("a valid configuration has an app")
    used = find_policies(app.router, checked.application.policies)
    policies = apply_rates(used, settings.limits)
    with open_stored_state(settings) as stored:
        claims = find_claims(policies.values())
        opening = open_explaining_verifier(settings, stored, claims, has_token=token is not None)
        async with opening as verifier:
            app.state.resources[TokenVerifier] = verifier
            app.state.resources[ProofVerifier] = AssumedProof()
            return await explain_request(app, method, target, token, policies)


def _is_admitted(explanation: Explanation) -> bool:
    return explanation.status is None or explanation.status < 400


def _iter_lines(explanation: Explanation) -> Iterator[str]:
    if explanation.route:
        yield f"route   {explanation.route}  {explanation.place}".rstrip()
    if explanation.caller:
        yield f"caller  {_describe_caller(explanation.caller)}"
    if explanation.rules:
        yield format_table([_format_rule(rule) for rule in explanation.rules])
    yield _describe_outcome(explanation)


def _format_rule(rule: GuardRule) -> tuple[str, str, str]:
    return f"  {rule.name}", _MARKS[rule.is_met], rule.text


def _describe_caller(caller: Principal) -> str:
    scopes = " ".join(sorted(caller.scopes)) or "no scopes"
    by = f", by the client {caller.client}" if caller.token_issuer != caller.issuer else ""
    services = (
        "" if caller.services is None else f", for {', '.join(sorted(caller.services))} alone"
    )
    named = f"{caller.subject} of {caller.issuer}{by}, {scopes}{services}"
    return escape(f"{named}, until {_format_time(caller)}")


def _format_time(caller: Principal) -> str:
    return f"{datetime.fromtimestamp(caller.expires_at, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _describe_outcome(explanation: Explanation) -> str:
    if explanation.status is None:
        return escape(explanation.outcome)
    status = HTTPStatus(explanation.status)
    return escape(f"{status.value} {status.phrase}: {explanation.outcome}")


def _rule_to_json(rule: GuardRule) -> dict[str, Any]:
    limit = None if rule.policy is None else limit_to_json(rule.policy)
    return {"name": rule.name, "text": rule.text, "is_met": rule.is_met, "limit": limit}


def _to_json(explanation: Explanation) -> dict[str, Any]:
    caller = explanation.caller
    return {
        **{it.name: getattr(explanation, it.name) for it in fields(explanation)},
        "rules": [_rule_to_json(rule) for rule in explanation.rules],
        "admitted": _is_admitted(explanation),
        "caller": None
        if caller is None
        else {
            "subject": caller.subject,
            "issuer": caller.issuer,
            "user_id": caller.user_id,
            "service": caller.service,
            "tenant": caller.tenant,
            "scopes": sorted(caller.scopes),
            "expires_at": _format_time(caller),
            "client": caller.client,
            "token_issuer": caller.token_issuer,
            "services": None if caller.services is None else sorted(caller.services),
        },
    }
