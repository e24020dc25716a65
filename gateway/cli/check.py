"""`lockgate check`: what is wrong with the settings and policies, said without starting."""

import argparse
import json
from pathlib import Path

from gateway.app import create_app
from gateway.application import Application, load_application
from gateway.cli.subcommand import Subcommands, add_config_option, add_subcommand
from gateway.ratelimit.policy_overrides import apply_rates
from gateway.services import find_upstream_errors, find_used_services
from gateway.settings.errors import ConfigError, InvalidSettings
from gateway.settings.loader import load_settings
from gateway.settings.schema import Settings


def add_to(verbs: Subcommands) -> None:
    """Add the verb."""
    parser = add_subcommand(
        verbs,
        "check",
        run,
        purpose="Check the settings and policies without starting.",
        example="lockgate check --config lockgate.toml --json",
    )
    add_config_option(parser)
    parser.add_argument("--json", action="store_true", help="print the mistakes as JSON")


def run(options: argparse.Namespace) -> int:
    """Print every error, or that there is none; 2 if there is one."""
    found = _find(options.config)
    if options.json:
        print(json.dumps([_as_json(error) for error in found]))
    else:
        for error in found:
            print(error)
        if not found:
            print("The settings and policies are fine.")
    return 2 if found else 0


def require_valid(settings: Settings) -> None:
    """Stop where the settings cannot serve.

    Raises:
        InvalidSettings: with all that is wrong.
    """
    if found := find_errors(settings):
        raise InvalidSettings(found)


def find_errors(settings: Settings) -> list[ConfigError]:
    """What is wrong with settings that are well formed but cannot serve."""
    try:
        application = load_application(settings.app.package)
    except InvalidSettings as error:
        return [*_find_issuer_errors(settings), *error.errors]
    routes = create_app(settings, application=application).routes
    used = find_used_services(routes)
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
        return [ConfigError("issuers", "no identity provider, so no token could be verified", hint)]
    return [
        ConfigError(f"issuers.{index}.jwks_file", f"there is no file {issuer.jwks_file}")
        for index, issuer in enumerate(settings.issuers)
        if issuer.jwks_file and not issuer.jwks_file.is_file()
    ]


def _find_limit_errors(settings: Settings, application: Application) -> list[ConfigError]:
    try:
        apply_rates(application.policies, settings.limits)
    except InvalidSettings as error:
        return error.errors
    return []


def _find(config: Path | None) -> list[ConfigError]:
    try:
        return find_errors(load_settings(config))
    except InvalidSettings as error:
        return error.errors


def _as_json(error: ConfigError) -> dict[str, str]:
    return {"path": error.path, "message": error.message, "hint": error.hint}
