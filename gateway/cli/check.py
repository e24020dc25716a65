"""`lockgate check`: finds every error that `lockgate serve` would refuse, without starting it.

Each stage runs even if an earlier one has found errors: `read_settings` replaces what is invalid.
"""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from fastapi import APIRouter
from fastapi.exceptions import FastAPIError

from gateway.app import create_app
from gateway.app_loader import Application, load_application, read_application
from gateway.auth.jwks.key_file import find_key_file_errors
from gateway.cli.subcommand import Subcommands, add_config_option, add_subcommand
from gateway.ratelimit.policy_overrides import apply_rates
from gateway.ratelimit.redis.redis_url import find_redis_errors
from gateway.route_audit import UnguardedRoute
from gateway.route_list import list_routes
from gateway.server.listener import find_host_errors
from gateway.services import find_upstream_errors, find_used_clients
from gateway.settings.errors import ConfigError, InvalidSettings
from gateway.settings.loader import LoadedSettings, read_settings
from gateway.settings.schema import Issuer, Settings


def add_to(subcommands: Subcommands) -> None:
    """Add the subcommand to the parser."""
    parser = add_subcommand(
        subcommands,
        "check",
        run,
        purpose="Check the settings and the package, without starting the gateway.",
        example="lockgate check --config lockgate.toml --json",
    )
    add_config_option(parser)
    parser.add_argument("--json", action="store_true", help="print the errors as JSON")


def run(options: argparse.Namespace) -> int:
    """Print every error, or one sentence if there is none. Returns 2 if there is an error."""
    loaded = read_settings(options.config)
    errors = _find_all_errors(loaded)
    if options.json:
        print(json.dumps([asdict(error) for error in errors]))
    elif errors:
        print("\n".join(map(str, errors)))
    else:
        print(_describe_valid(loaded.settings))
    return 2 if errors else 0


def require_valid(config: Path | None, options: Mapping[str, str]) -> Settings:
    """Return the settings if `lockgate check` would find no error in them.

    `options` override settings; the keys are paths, as `server.port`.

    Raises:
        InvalidSettings: has every error that `lockgate check` would print.
    """
    loaded = read_settings(config, options)
    if errors := _find_all_errors(loaded):
        raise InvalidSettings(errors)
    return loaded.settings


def find_errors(settings: Settings) -> list[ConfigError]:
    """Find the errors in settings that are valid one by one: in what they name, and together."""
    redis_url = settings.redis_url
    return [
        *find_host_errors(settings.server.host),
        *(find_redis_errors(str(redis_url)) if redis_url else ()),
        *_find_issuer_errors(settings.issuers),
        *_find_application_errors(settings),
    ]


def _find_all_errors(loaded: LoadedSettings) -> list[ConfigError]:
    """Find all errors, each once and without those that are only consequences of others."""
    found = map(loaded.locate, find_errors(loaded.settings))
    further = (error for error in found if not _is_consequence(error, loaded.errors))
    return list(dict.fromkeys([*loaded.errors, *further]))


def _is_consequence(error: ConfigError, reported: Sequence[ConfigError]) -> bool:
    """Whether a setting is missing because the file or table that may have it is invalid."""
    path, _, _ = error.path.partition(" [")
    if error.source or path.partition(".")[0] not in Settings.model_fields:
        return False
    return any(other.path in {"", path} or path.startswith(f"{other.path}.") for other in reported)


def _find_issuer_errors(issuers: Sequence[Issuer]) -> list[ConfigError]:
    if not issuers:
        hint = (
            'set LOCKGATE_ISSUERS, such as [{"issuer": "https://login.example.com", '
            '"audience": "lockgate", "discovery_url": '
            '"https://login.example.com/.well-known/openid-configuration"}]'
        )
        message = "no identity provider is set, so no token can be verified"
        return [ConfigError("issuers", message, hint)]
    return find_key_file_errors(issuers)


def _find_application_errors(settings: Settings) -> list[ConfigError]:
    """Find the errors of the modules of the package, and of the routes that they declare.

    The services and policies are checked only if every module could be imported. Otherwise each
    one that a broken module declares would be reported as missing.
    """
    try:
        application, errors = read_application(settings.app)
        router = APIRouter()
        for routes in application.routers:
            router.include_router(routes)
    except InvalidSettings as invalid:
        return invalid.errors
    except FastAPIError as error:
        return [ConfigError("composites", f"a route cannot be added: {error}")]
    errors = [*errors, *_iter_unguarded_routes(settings, application)]
    if not application.is_complete:
        return errors
    used = find_used_clients(router.routes)
    return [
        *errors,
        *find_upstream_errors(settings.upstreams, application.clients, used),
        *_find_limit_errors(settings, application),
    ]


def _iter_unguarded_routes(settings: Settings, application: Application) -> Iterator[ConfigError]:
    try:
        create_app(settings, application=application)
    except UnguardedRoute as unguarded:
        for fault in unguarded.faults:
            route, _, message = fault.partition(": ")
            yield ConfigError(route, message)


def _find_limit_errors(settings: Settings, application: Application) -> list[ConfigError]:
    try:
        apply_rates(application.policies, settings.limits)
    except InvalidSettings as invalid:
        return invalid.errors
    return []


def _describe_valid(settings: Settings) -> str:
    """Return one sentence that counts what has been checked."""
    application = load_application(settings.app)
    routes = list_routes(create_app(settings, application=application), application.policies)
    counts = {
        "route": len(routes),
        "composite": len({composite for route in routes for composite in route.composites}),
        "service": len(application.clients),
        "policy": len(application.policies),
    }
    return f"The configuration is valid: {', '.join(map(_format_count, counts, counts.values()))}."


def _format_count(noun: str, count: int) -> str:
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{count} {noun if count == 1 else plural}"
