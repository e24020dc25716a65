"""Opens the resources of the app (token verifier, rate limiter, clients), and closes them.

A resource that cannot be opened ends the start with an error. `background_tasks.py` watches the
tasks that the resources start.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from logging import ERROR, getLogger
from pathlib import Path
from traceback import walk_tb
from typing import Any, TypeVar

from fastapi import FastAPI

from gateway.access.setting_errors import find_access_errors
from gateway.api_keys.address_limit import open_address_limit
from gateway.api_keys.open_keys import open_keys
from gateway.app_loader import Application, AppLifespan
from gateway.auth.jwks.key_provider import count_waiters
from gateway.auth.revocation_check import RevocationCheck
from gateway.auth.verifier import JwtVerifier, TokenVerifier, open_verifier
from gateway.background_tasks import WatchedTasks
from gateway.dpop.open_dpop import find_dpop_errors, open_dpop
from gateway.fastapi_internals import iter_route_contexts
from gateway.identity.internal_token_field import create_token_fields
from gateway.identity.open_identity import open_internal_tokens, open_signing_keys
from gateway.oauth.open_oauth import open_oauth
from gateway.oauth.own_token_keys import open_own_tokens
from gateway.open_clients import (
    Transports,
    find_upstream_errors,
    find_used_clients,
    find_used_resources,
    open_clients,
)
from gateway.proxy.declaration.identity_errors import find_missing_key_errors
from gateway.proxy.revocable_streams import RevocableStreams
from gateway.proxy.routes import find_proxied_services
from gateway.proxy.stream_limit import StreamLimit
from gateway.ratelimit.live.open_live_limits import open_live_limits
from gateway.ratelimit.open_limits import open_limits
from gateway.ratelimit.used_policies import find_claims, find_policies, find_reserved_policies
from gateway.resources import Resources
from gateway.revocation.open_revocations import open_revocations
from gateway.settings.errors import ConfigError, InvalidSettings
from gateway.settings.schema import Settings
from gateway.settings.toml_file import format_file
from gateway.startup_error import StartupError
from gateway.storage.open_storage import open_storage
from gateway.telemetry.log import LogField, log_event
from gateway.tickets.open_store import open_ticket_store
from gateway.tickets.store import TicketStore
from gateway.tickets.ticket_errors import find_ticket_errors
from gateway.upstream.tls_settings import find_tls_errors
from gateway.wait_report import report_wait

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

log = getLogger("lockgate")

_LIFESPAN = "the lifespan of the package"

T = TypeVar("T")


class LifespanFailed(StartupError):
    """A resource of the gateway, or the lifespan of the company's package, cannot be opened."""


def create_lifespan(
    settings: Settings, application: Application, transports: Transports
) -> Lifespan:
    """Return the lifespan of an app; it closes the resources in reverse order.

    The lifespan of the company's package comes last: it can use the open clients, and add resources
    of its own. On entering, the lifespan raises InvalidSettings if the settings name an unknown
    upstream, or if a service in use has no URL, and LifespanFailed after any unexpected exception.
    """

    @asynccontextmanager
    async def open_resources(app: FastAPI) -> AsyncIterator[None]:
        resources: Resources = app.state.resources
        if errors := await asyncio.to_thread(_find_errors, app, settings, application, transports):
            raise InvalidSettings(errors)
        tasks = resources[WatchedTasks] = WatchedTasks()
        async with AsyncExitStack() as stack:
            used = find_policies(app.router, application.policies)
            declared = replace(application, policies=used)
            await _open_own_resources(stack, settings, declared, transports, app)
            if application.settings is not None:
                resources[type(application.settings)] = application.settings
            if application.lifespan is not None:
                async with tasks.watch_new_tasks():
                    close_seconds = settings.server.shutdown_seconds
                    await _enter_lifespan(stack, application.lifespan, resources, close_seconds)
            _require_resources(app, resources)
            yield

    return open_resources


def _find_errors(
    app: FastAPI, settings: Settings, application: Application, transports: Transports
) -> list[ConfigError]:
    """Find what the routes of the app need, and the settings lack. Blocks while it reads files."""
    proxied = find_proxied_services(app.routes)
    return [
        *find_upstream_errors(
            settings.upstreams,
            application.clients,
            find_used_clients(app.routes),
            proxied,
            replaced=transports,
        ),
        *find_access_errors(settings, application.access, proxied, replaced=transports),
        *find_missing_key_errors(settings, application.proxies),
        *find_ticket_errors(settings, iter_route_contexts(app.routes)),
        *find_dpop_errors(settings, iter_route_contexts(app.routes)),
        *find_tls_errors(settings),
    ]


async def _open_own_resources(
    stack: AsyncExitStack,
    settings: Settings,
    application: Application,
    transports: Transports,
    app: FastAPI,
) -> None:
    """Open what the gateway itself needs; each of them may use those before it."""
    resources: Resources = app.state.resources
    await _open(stack, open_storage(settings, resources), "the database")
    await _open(stack, open_signing_keys(settings, resources), "the signing keys")
    verifier = _open_verifier(settings, application)
    resources[TokenVerifier] = opened = await _open(stack, verifier, "the token verifier")
    open_revocations(settings, resources, opened)
    await _open(stack, open_keys(resources, opened), "the API keys")
    await _open(stack, open_dpop(settings, resources), "the verifier of DPoP proofs")
    settled = find_reserved_policies(app.router)
    limits = open_limits(settings, application.policies, resources, settled)
    await _open(stack, limits, "the rate limiter")
    open_address_limit(settings, resources)
    internal_tokens = open_internal_tokens(settings, resources)
    oauth = open_oauth(
        settings,
        resources,
        access=application.access,
        services={proxy.to for proxy in application.proxies},
    )
    await _open(stack, oauth, "the OAuth clients")
    open_own_tokens(settings, resources, opened)
    store = open_ticket_store(settings, internal_tokens)
    resources[TicketStore] = await _open(stack, store, "the ticket store")
    fields = create_token_fields(settings.upstreams, internal_tokens)
    resources[StreamLimit] = StreamLimit(settings.server, _follow_streams(resources))
    opening = open_clients(
        settings, application.clients, transports, resources, request_fields=fields
    )
    await _open(stack, opening, "the clients")
    live_limits = open_live_limits(settings, application.policies, resources)
    await _open(stack, live_limits, "the live limits")


def _open_verifier(
    settings: Settings, application: Application
) -> AbstractAsyncContextManager[JwtVerifier]:
    return open_verifier(
        settings.issuers,
        settings.tokens,
        ca_file=settings.tls.ca_file,
        max_waiters=count_waiters(settings.server.max_in_flight),
        gateway=settings.identity.issuer,
        claims=find_claims(application.policies.values()),
    )


def _follow_streams(resources: Resources) -> RevocableStreams | None:
    revocations: RevocationCheck | None = resources.get(RevocationCheck)
    return None if revocations is None else RevocableStreams(revocations)


async def _open(stack: AsyncExitStack, resource: AbstractAsyncContextManager[T], name: str) -> T:
    """Open a resource of the gateway.

    Raises:
        InvalidSettings: the resource cannot be opened with these settings.
        LifespanFailed: an unexpected exception, which is logged with its traceback.
    """
    try:
        with report_wait("gateway.starting", name):
            return await stack.enter_async_context(resource)
    except InvalidSettings:
        raise
    except Exception as error:
        raise _describe_failure(error, name, "gateway") from error


async def _enter_lifespan(
    stack: AsyncExitStack, lifespan: AppLifespan, resources: Resources, close_seconds: float
) -> None:
    """Enter the lifespan of the package; `stack` closes it within `close_seconds`.

    Raises:
        LifespanFailed: it raised an exception, which is logged with its traceback.
    """
    package = str(getattr(lifespan, "__module__", "")).partition(".")[0]
    try:
        with report_wait("gateway.starting", _LIFESPAN):
            opened = lifespan(resources)
            await opened.__aenter__()
    except (Exception, SystemExit) as error:
        raise _describe_failure(error, _LIFESPAN, package) from error
    stack.push_async_exit(partial(_close_lifespan, opened, package, close_seconds))


async def _close_lifespan(
    lifespan: AbstractAsyncContextManager[None],
    package: str,
    seconds: float,
    *raised: Any,  # noqa: ANN401 - the arguments of `__aexit__`
) -> bool | None:
    """Close the lifespan of the package; cancel it after `seconds`.

    Raises:
        LifespanFailed: it raised an exception, which is logged with its traceback.
    """
    timeout = asyncio.timeout(seconds)
    try:
        with report_wait("shutdown.waiting", _LIFESPAN):
            async with timeout:
                return await lifespan.__aexit__(*raised)
    except (Exception, SystemExit) as failure:
        if timeout.expired():
            fields: dict[str, LogField] = {"waiting_for": _LIFESPAN, "seconds": seconds}
            log_event(log, "shutdown.timeout", ERROR, failure, **fields)
            return None
        if failure is raised[1]:
            raise
        raise _describe_failure(failure, f"the end of {_LIFESPAN}", package) from failure


def _describe_failure(error: BaseException, name: str, package: str) -> LifespanFailed:
    """Log an exception, and return the error for the terminal.

    It has no text of the exception, which may quote a URL with a password.
    """
    log_event(log, "lifespan.failed", ERROR, error)
    place = _find_line(error, package)
    message = f"{name} failed: {type(error).__name__}{place}"
    return LifespanFailed(f"{message}; its traceback is in the log")


def _find_line(error: BaseException, package: str) -> str:
    """Return the last line of the package in the traceback as ` in FILE:LINE`; "" if none is."""
    lines = [
        (frame.f_code.co_filename, line)
        for frame, line in walk_tb(error.__traceback__)
        if str(frame.f_globals.get("__name__")).partition(".")[0] == package
    ]
    return f" in {format_file(Path(lines[-1][0]))}:{lines[-1][1]}" if lines else ""


def _require_resources(app: FastAPI, resources: Resources) -> None:
    """Require an open resource for each `Resource[...]` of a route; else each request would fail.

    Raises:
        LifespanFailed: names each missing type, and a route that uses it.
    """
    missing = [
        f"{route} uses Resource[{kind.__name__}], which the lifespan of the package does not open"
        for kind, route in find_used_resources(app.routes).items()
        if kind not in resources
    ]
    if missing:
        raise LifespanFailed("; ".join(missing))
