"""`lockgate check`: validates the settings and policies without starting the gateway."""

import argparse
import json
from pathlib import Path

from gateway.app import create_app
from gateway.app_loader import Application, load_application
from gateway.cli.subcommand import Subcommands, add_config_option, add_subcommand
from gateway.ratelimit.policy_overrides import apply_rates
from gateway.route_audit import UnguardedRoute
from gateway.services import find_upstream_errors, find_used_clients
from gateway.settings.errors import ConfigError, InvalidSettings
from gateway.settings.loader import load_settings
from gateway.settings.schema import Settings


def add_to(subcommands: Subcommands) -> None:
    """Add the subcommand to the parser."""
    parser = add_subcommand(
        subcommands,
        "check",
        run,
        purpose="Check the settings and policies without starting the gateway.",
        example="lockgate check --config lockgate.toml --json",
    )
    add_config_option(parser)
    parser.add_argument("--json", action="store_true", help="print the errors as JSON")


def run(options: argparse.Namespace) -> int:
    """Print every error, or one sentence if there is none. Returns 2 if there is an error."""
    errors = _load_and_check(options.config)
    if options.json:
        print(json.dumps([_to_json(error) for error in errors]))
    else:
        for error in errors:
            print(error)
        if not errors:
            print("The settings and policies are fine.")
    return 2 if errors else 0


def require_valid(settings: Settings) -> None:
    """Raise the errors that `lockgate check` would print.

    Raises:
        InvalidSettings: there is an error.
    """
    if errors := find_errors(settings):
        raise InvalidSettings(errors)


def find_errors(settings: Settings) -> list[ConfigError]:
    """Find the errors in settings that are valid one by one but cannot serve together."""
    try:
        application = load_application(settings.app)
        routes = create_app(settings, application=application).routes
    except InvalidSettings as error:
        return [*_find_issuer_errors(settings), *error.errors]
    except UnguardedRoute as error:
        return [*_find_issuer_errors(settings), *map(_convert_fault, error.faults)]
    used = find_used_clients(routes)
    return [
        *_find_issuer_errors(settings),
        *find_upstream_errors(settings.upstreams, application.clients, used),
        *_find_limit_errors(settings, application),
    ]


def _find_issuer_errors(settings: Settings) -> list[ConfigError]:
    if not settings.issuers:
        hint = (
            'set LOCKGATE_ISSUERS, such as [{"issuer": "https://login.example.com", '
            '"audience": "lockgate", "discovery_url": '
            '"https://login.example.com/.well-known/openid-configuration"}]'
        )
        message = "no identity provider is set, so no token can be verified"
        return [ConfigError("issuers", message, hint)]
    return [
        ConfigError(f"issuers.{index}.jwks_file", f"there is no file {issuer.jwks_file}")
        for index, issuer in enumerate(settings.issuers)
        if issuer.jwks_file and not issuer.jwks_file.is_file()
    ]


def _convert_fault(fault: str) -> ConfigError:
    route, _, message = fault.partition(": ")
    return ConfigError(route, message)


def _find_limit_errors(settings: Settings, application: Application) -> list[ConfigError]:
    try:
        apply_rates(application.policies, settings.limits)
    except InvalidSettings as error:
        return error.errors
    return []


def _load_and_check(config: Path | None) -> list[ConfigError]:
    try:
        return find_errors(load_settings(config))
    except InvalidSettings as error:
        return error.errors


def _to_json(error: ConfigError) -> dict[str, str]:
    return {"path": error.path, "message": error.message, "hint": error.hint}
