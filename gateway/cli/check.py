"""`lockgate check`: finds every error that `lockgate serve` would refuse, without starting it.

Each stage runs even if an earlier one has found errors: `read_settings` replaces what is invalid.
"""

import argparse
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from stat import S_IMODE

from gateway.access.setting_errors import find_access_errors
from gateway.app import Gateway, build_app
from gateway.app_conflicts import find_conflicts
from gateway.app_loader import Application, read_application
from gateway.auth.jwks.fetch import find_proxy_errors
from gateway.auth.jwks.key_file import find_key_file_errors
from gateway.cli.off_features import list_off_features
from gateway.cli.subcommand import Subcommands, add_config_option, add_subcommand
from gateway.dpop.open_dpop import find_dpop_errors
from gateway.fastapi_internals import iter_route_contexts
from gateway.identity.setting_errors import find_identity_errors
from gateway.oauth.oauth_requirements import find_lifetime_errors, is_oauth_on
from gateway.open_clients import find_upstream_errors, find_used_clients
from gateway.openapi.document import build_document, document_responses
from gateway.proxy.declaration.identity_errors import find_missing_key_errors
from gateway.proxy.declaration.unused_settings import find_unused_settings
from gateway.proxy.routes import find_proxied_services
from gateway.ratelimit.compat.decorated_routes import find_slowapi_errors
from gateway.ratelimit.live.unfit_documents import find_unfit_documents
from gateway.ratelimit.redis.redis_url import find_redis_errors
from gateway.ratelimit.settings_rates import apply_rates
from gateway.ratelimit.used_policies import find_policies
from gateway.route_audit import find_faults
from gateway.route_list import group_methods, list_routes
from gateway.server.listener import find_host_errors
from gateway.settings.errors import ConfigError, InvalidSettings, escape
from gateway.settings.exception_text import describe_exception
from gateway.settings.loader import LoadedSettings, read_settings
from gateway.settings.ops_conflicts import find_ops_errors, runs_apart
from gateway.settings.schema import Settings
from gateway.storage.open_storage import check_storage, get_file
from gateway.tickets.ticket_errors import find_ticket_errors
from gateway.upstream.tls_settings import find_tls_errors


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


@dataclass(frozen=True, slots=True)
class CheckedGateway:
    """A gateway with the errors in it. Without errors it has an `app`, which can be served.

    A default or a placeholder replaces each invalid value of the settings.
    """

    settings: Settings
    application: Application
    app: Gateway | None
    errors: Sequence[ConfigError]
    notes: Sequence[str] = ()


def run(options: argparse.Namespace) -> int:
    """Print every error, or else what has been checked. Returns 2 if there is an error."""
    checked = _check_all(read_settings(options.config))
    if options.json:
        print(json.dumps([asdict(error) for error in checked.errors]))
    elif checked.errors:
        print("\n".join(map(str, checked.errors)))
    else:
        print(_describe_valid(checked))
    return 2 if checked.errors else 0


def require_valid(
    config: Path | None,
    options: Mapping[str, str],
    *,
    complete: Callable[[Settings], Settings] | None = None,
    needs_database: bool = True,
) -> CheckedGateway:
    """Return the gateway if `lockgate check` would find no error in it.

    `options` override settings; the keys are paths, as `server.port`. `complete` may set what the
    settings lack. Without `needs_database`, one that cannot be used is no error.

    Raises:
        InvalidSettings: has every error that `lockgate check` would print.
    """
    loaded = read_settings(config, options)
    if complete is not None:
        loaded = replace(loaded, settings=complete(loaded.settings))
    checked = _check_all(loaded)
    errors = [
        error
        for error in checked.errors
        if needs_database or error.path != "database_url" or error in loaded.errors
    ]
    if errors:
        raise InvalidSettings(errors)
    return checked


def check_settings(settings: Settings, invalid_sections: Collection[str] = ()) -> CheckedGateway:
    """Find the errors in settings that are valid one by one: in what they name, and together.

    `invalid_sections` have errors, so that their values may be defaults in place of what is meant:
    what routes need of such a section is not checked.
    """
    redis_url, storage = settings.redis_url, check_storage(settings)
    errors = [
        *find_host_errors(settings.server.host),
        *_find_ops_errors(settings, invalid_sections),
        *(find_redis_errors(str(redis_url)) if redis_url else ()),
        *find_tls_errors(settings),
        *storage.errors,
        *_find_issuer_errors(settings, invalid_sections),
        *find_lifetime_errors(settings),
        *find_proxy_errors(settings.tokens.keys_proxy),
        *_find_identity_errors(settings, invalid_sections),
    ]
    try:
        application, package_errors = read_application(settings.app)
    except InvalidSettings as invalid:
        # Without its package, the settings file with the issuers may be missing too.
        errors = [error for error in errors if error.path != "issuers"]
        return CheckedGateway(settings, Application(), None, [*errors, *invalid.errors])
    errors += package_errors
    try:
        app = build_app(settings, application)
    except Exception as error:  # noqa: BLE001 - FastAPI refuses routes with errors of many types
        message = f"a route cannot be added: {describe_exception(error)}"
        errors.append(ConfigError("composites", message))
        return CheckedGateway(settings, application, None, errors)
    errors += _find_application_errors(app, application, invalid_sections)
    notes = [*_iter_notes(settings, application, storage.obstacle)]
    if not errors:
        notes += _iter_unfit_limits(app, application)
    return CheckedGateway(settings, application, app, errors, tuple(notes))


def _check_all(loaded: LoadedSettings) -> CheckedGateway:
    """Find all errors, each once and without those that are only consequences of others."""
    invalid = {error.path.partition(".")[0] for error in loaded.errors}
    checked = check_settings(loaded.settings, invalid)
    found = map(loaded.locate, checked.errors)
    further = (error for error in found if not _is_consequence(error, loaded.errors))
    return replace(checked, errors=list(dict.fromkeys([*loaded.errors, *further])))


def _is_consequence(error: ConfigError, reported: Sequence[ConfigError]) -> bool:
    """Whether a setting is missing because the file or table that may have it is invalid."""
    path, _, _ = error.path.partition(" [")
    if error.source or path.partition(".")[0] not in Settings.model_fields:
        return False
    return any(other.path in {"", path} or path.startswith(f"{other.path}.") for other in reported)


def _find_ops_errors(settings: Settings, invalid_sections: Collection[str]) -> list[ConfigError]:
    if {"ops", "issuers", "identity", "server"} & set(invalid_sections):
        return []
    return [*find_ops_errors(settings), *find_host_errors(settings.ops.host, "ops")]


def _find_identity_errors(
    settings: Settings, invalid_sections: Collection[str]
) -> list[ConfigError]:
    """Find the errors of signing keys. If the URL of the database is invalid, it is not missing."""
    errors = find_identity_errors(settings)
    if "database_url" in invalid_sections:
        return [error for error in errors if error.path != "identity.key_file"]
    return errors


def _find_issuer_errors(settings: Settings, invalid_sections: Collection[str]) -> list[ConfigError]:
    """Require a provider, unless the gateway itself issues tokens, or may be meant to."""
    may_issue = is_oauth_on(settings) or "database_url" in invalid_sections
    if not settings.issuers and not may_issue:
        hint = (
            'set LOCKGATE_ISSUERS, such as [{"issuer": "https://login.example.com", '
            '"audience": "lockgate", "discovery_url": '
            '"https://login.example.com/.well-known/openid-configuration"}]'
        )
        message = "no identity provider is set, so no token can be verified"
        return [ConfigError("issuers", message, hint)]
    return find_key_file_errors(settings.issuers)


def _find_application_errors(
    app: Gateway, application: Application, invalid_sections: Collection[str]
) -> Iterator[ConfigError]:
    """Find the errors of the routes, and of the services and policies that the settings name.

    The services and policies are checked only if every module could be imported. Otherwise each
    one that a broken module declares would be reported as missing.
    """
    faults = [fault.as_config_error() for fault in find_faults(app)]
    yield from faults or _find_route_errors(app, application)
    yield from _find_middleware_errors(app, application)
    yield from find_slowapi_errors(app, application.package.prefixes if application.package else ())
    if application.is_complete:
        settings: Settings = app.state.settings
        used = find_used_clients(app.routes)
        proxied = find_proxied_services(app.routes)
        yield from find_upstream_errors(settings.upstreams, application.clients, used, proxied)
        yield from find_unused_settings(
            settings.upstreams, application.clients, application.proxies
        )
        if not {"upstreams", "issuers"} & set(invalid_sections):
            yield from find_access_errors(settings, application.access, proxied)
        if "identity" not in invalid_sections:
            yield from find_missing_key_errors(settings, application.proxies)
        if not {"identity", "redis_url"} & set(invalid_sections):
            yield from find_ticket_errors(settings, iter_route_contexts(app.routes))
            yield from find_dpop_errors(settings, iter_route_contexts(app.routes))
        yield from _find_limit_errors(app, settings, application)


def _find_route_errors(app: Gateway, application: Application) -> Iterator[ConfigError]:
    """Find the errors of routes whose access is declared as it must be."""
    yield from find_conflicts(app, application)
    try:
        document_responses(app)
        if app.state.settings.server.docs:
            build_document(app)
    except InvalidSettings as invalid:
        yield from invalid.errors


def _find_middleware_errors(app: Gateway, application: Application) -> Iterator[ConfigError]:
    """Find middleware that cannot be built, which would fail every request."""
    try:
        app.build_middleware_stack()
    except Exception as error:  # noqa: BLE001 - the middleware of a company may raise anything
        package = application.package.declarations if application.package else "the application"
        yield ConfigError(f"{package}.middleware", f"cannot be built: {describe_exception(error)}")


def _find_limit_errors(
    app: Gateway, settings: Settings, application: Application
) -> list[ConfigError]:
    try:
        used = find_policies(app.router, application.policies)
        apply_rates(used, settings.limits)
    except InvalidSettings as invalid:
        return invalid.errors
    return []


def _describe_valid(checked: CheckedGateway) -> str:
    """Say what has been checked: how much of what, and in which package; and what is off."""
    application = checked.application
    routes = list_routes(checked.app, application.policies) if checked.app else []
    counts = {
        "route": len([group for group in group_methods(routes) if not group[0].proxy]),
        "proxied route": len(application.proxies),
        "composite": len({composite for route in routes for composite in route.composites}),
        "service": len({*application.clients, *(proxy.to for proxy in application.proxies)}),
        "access rule": len(application.access),
        "policy": len(application.policies),
    }
    optional = ("proxied route", "access rule")
    found = {noun: count for noun, count in counts.items() if count or noun not in optional}
    counted = ", ".join(map(_format_count, found, found.values()))
    package = application.package
    checked_package = f" The package is {package.name} ({package.source})." if package else ""
    off = "; ".join(map(str, list_off_features(checked.settings)))
    off_features = [f"These features are off: {off}."] if off else []
    valid = f"The configuration is valid: {counted}.{checked_package}"
    return "\n".join([valid, *off_features, *checked.notes])


def _iter_notes(settings: Settings, application: Application, obstacle: str) -> Iterator[str]:
    """Say what is no error, and is maybe not what is meant."""
    if obstacle:
        yield f"The database was not checked: {obstacle}."
    file = get_file(settings)
    if file is not None and file.exists() and (mode := S_IMODE(file.stat().st_mode)) & 0o077:
        yield f"Other users can read the database: {file} has the mode {mode:04o}; set 0600."
    if settings.ops.audience and runs_apart(settings):
        processes = settings.counters.processes
        yield f"The ops API runs with `lockgate ops`, because counters.processes is {processes}."
    if application.access and not is_oauth_on(settings):
        yield "The access rules are not used, because OAuth is off."


def _iter_unfit_limits(app: Gateway, application: Application) -> Iterator[str]:
    """Name the live documents that a start skips; the policies are as declared then."""
    policies = find_policies(app.router, application.policies)
    for state in find_unfit_documents(app.state.settings, policies):
        name = f"{state.stored.policy} (version {state.stored.version})"
        yield escape(f"The live limit of {name} is not used: {state.fault}.")


def _format_count(noun: str, count: int) -> str:
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{count} {noun if count == 1 else plural}"
