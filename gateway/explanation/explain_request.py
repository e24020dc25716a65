"""Explains what the gateway would do with a request, without a call of a service."""

from collections.abc import Iterable, Mapping
from typing import NoReturn

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Scope

from gateway.allowed_methods import find_allowed_methods
from gateway.auth.dependencies import find_principal
from gateway.auth.verifier import TokenVerifier
from gateway.dpop.assumed_proof import find_scheme
from gateway.explanation.explaining_verifier import ExplainingVerifier
from gateway.explanation.explanation import Ended, Explanation, GuardRule
from gateway.explanation.guard_rules import Policies, decide_guards
from gateway.fastapi_internals import (
    RouteContext,
    get_routing_scope,
    iter_audited_routes,
    matches_request,
)
from gateway.middleware.target_validation import find_query_fault
from gateway.open_clients import find_route_clients
from gateway.proxy.declaration.proxy import Proxy
from gateway.proxy.path.target import ProxyTarget
from gateway.proxy.routes import find_proxy
from gateway.request_path import InvalidPath
from gateway.route_audit import locate_endpoint
from gateway.routing.derived_requests import DERIVED_METHODS, is_derived
from gateway.routing.target_scope import build_target_scope
from gateway.settings.schema import Service, Settings

_BOUND = "the token is bound to a key: each request needs a proof, which is assumed here"
_NO_ROUTE = "No route has this path."


async def explain_request(
    app: FastAPI, method: str, target: str, token: str | None, policies: Policies
) -> Explanation:
    """Explain a request; `target` is its path as a client escapes it, with the query.

    `app` needs an ExplainingVerifier among its resources, as its TokenVerifier, and an AssumedProof
    as its ProofVerifier. `policies` have the rates in force, by name.
    """
    path, _, query = target.partition("?")
    explanation = Explanation(method, path)
    try:
        scope = _build_scope(app, method, path, query, token)
        await _explain_route(explanation, _find_route(app, scope), scope, policies)
    except Ended as end:
        explanation.status, explanation.outcome = end.status, str(end)
        if end.rule is not None:
            explanation.rules.append(end.rule)
    return explanation


async def _explain_route(
    explanation: Explanation, route: RouteContext, scope: Scope, policies: Policies
) -> None:
    file, line = locate_endpoint(route)
    explanation.route = str(route.path)
    explanation.place = f"{file}:{line}" if file else ""
    request = _build_request(scope, route)
    try:
        async for rule in decide_guards(route, request, policies):
            explanation.rules.append(rule)
    finally:
        explanation.caller = find_principal(request)
    if explanation.caller is not None:
        verifier: ExplainingVerifier = request.app.state.resources[TokenVerifier]
        explanation.rules.append(verifier.describe())
        if explanation.caller.key_thumbprint is not None:
            explanation.rules.append(GuardRule("dpop", _BOUND))
    settings: Settings = request.app.state.settings
    size = getattr(route, "max_body_size", None)
    bound = settings.server.max_body_bytes if size is None else size
    explanation.rules.append(GuardRule("body", f"at most {bound} bytes"))
    if proxy := find_proxy(route):
        _explain_proxy(explanation, proxy, scope, settings)
    else:
        explanation.outcome = _describe_endpoint(route)


def _describe_endpoint(route: RouteContext) -> str:
    """Describe what an endpoint would do; the services are those whose clients it asks for."""
    outcome = "The endpoint of the route would be called"
    services = [client.name for client in find_route_clients(route)]
    if not services:
        return f"{outcome}."
    noun = "service" if len(services) == 1 else "services"
    return f"{outcome}; it uses the {noun} {', '.join(services)}."


def _explain_proxy(
    explanation: Explanation, proxy: Proxy, scope: Scope, settings: Settings
) -> None:
    """Describe what would be sent to the service of a proxied route.

    Raises:
        Ended: services may differ in what the path means, so the route refuses it.
    """
    service = settings.upstreams[proxy.to]
    try:
        target = ProxyTarget(proxy, service).build(scope)
    except HTTPException as refusal:
        raise Ended(
            refusal.status_code, refusal.detail, GuardRule("path", proxy.path, False)
        ) from None
    url = service.url
    explanation.service = proxy.to
    explanation.url = f"{url.scheme}://{url.host}:{url.port}{target.decode('latin-1')}"
    explanation.rules.append(GuardRule("identity", _describe_identity(proxy)))
    explanation.rules.append(GuardRule("timeout", _describe_timeouts(proxy, service)))
    if proxy.remove_headers:
        explanation.rules.append(GuardRule("removed", ", ".join(proxy.remove_headers)))
    if proxy.set_headers:
        explanation.rules.append(GuardRule("set", _format_fields(proxy.set_headers)))
    if changes := _describe_response_changes(proxy):
        explanation.rules.append(GuardRule("response", changes))
    if proxy.websocket:
        explanation.rules.append(GuardRule("websocket", "a WebSocket handshake is accepted"))
    explanation.outcome = f"The request would be sent to {explanation.url}."


def _describe_timeouts(proxy: Proxy, service: Service) -> str:
    """Describe how long the gateway would wait for the service."""
    head = service.timeout if proxy.timeout is None else proxy.timeout
    whole = f", {proxy.total_timeout:g} s in all" if proxy.total_timeout is not None else ""
    idle = f"{proxy.idle_timeout:g} s without a byte"
    token = "; a stream outlives the token" if proxy.outlive_token else ""
    return f"{head:g} s until the head of the response, {idle}{whole}{token}"


def _describe_response_changes(proxy: Proxy) -> str:
    """Describe how the route changes the fields of the response; "" if it does not."""
    removed, fields = proxy.remove_response_headers, proxy.set_response_headers
    changes = []
    if removed:
        changes.append(f"without {', '.join(removed)}")
    if fields:
        changes.append(f"with {_format_fields(fields)}")
    return "; ".join(changes)


def _format_fields(fields: Mapping[str, str]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in fields.items())


def _describe_identity(proxy: Proxy) -> str:
    """Describe how the service would learn who the caller is."""
    kept = [
        text
        for text, is_kept in (
            (_name_token(proxy), proxy.forward_token),
            ("the cookies of the caller", proxy.forward_cookies),
        )
        if is_kept
    ]
    return " and ".join([*_describe_sent_identity(proxy), *kept]) or "nothing about the caller"


def _name_token(proxy: Proxy) -> str:
    is_verified = proxy.public is None
    return "the token of the caller" if is_verified else "the unverified token of the caller"


def _describe_sent_identity(proxy: Proxy) -> list[str]:
    if proxy.public is not None or proxy.identity == "none":
        return []
    if proxy.identity == "headers":
        return ["X-User-* fields"]
    scopes = " ".join(proxy.scopes)
    return [f"an internal token for {proxy.to}" + (f" with the scopes {scopes}" if scopes else "")]


def _build_scope(app: FastAPI, method: str, path: str, query: str, token: str | None) -> Scope:
    scope = {
        "type": "http",
        "app": app,
        "root_path": app.state.settings.server.root_path,
        "headers": [] if token is None else [_build_authorization(token)],
        "extensions": {},
    }
    if fault := find_query_fault(query.encode()):
        raise Ended(400, f"The query {fault}.")
    try:
        return build_target_scope(scope, method, path.encode(), query.encode())
    except InvalidPath as error:
        raise Ended(400, f"The path {error}.") from None


def _build_authorization(token: str) -> tuple[bytes, bytes]:
    return b"authorization", f"{find_scheme(token)} {token}".encode()


def _find_route(app: FastAPI, scope: Scope) -> RouteContext:
    """Find the route that serves a request; a HEAD that its path does not declare becomes a GET.

    Raises:
        Ended: no route serves it.
    """
    routes = list(iter_audited_routes(app.router))
    if scope["method"] in DERIVED_METHODS and is_derived(scope, routes):
        if scope["method"] == "OPTIONS":
            _end_options(find_allowed_methods(scope))
        scope["method"] = "GET"
    for route in routes:
        if matches_request(route, scope):
            return route
    if allowed_methods := sorted(find_allowed_methods(scope)):
        methods = ", ".join(allowed_methods)
        raise Ended(405, f"No route with this path has the method; the path has {methods}.")
    raise Ended(404, _NO_ROUTE)


def _end_options(allowed_methods: Iterable[str]) -> NoReturn:
    """End with the response of the gateway itself to OPTIONS (`routing/options_requests.py`)."""
    if methods := ", ".join(sorted(allowed_methods)):
        raise Ended(204, f"The gateway itself would list the methods: {methods}.")
    raise Ended(404, _NO_ROUTE)


def _build_request(scope: Scope, route: RouteContext) -> Request:
    """Build the request as the guards of its route see it, without a body."""
    pattern = getattr(route, "path_regex", None)
    match = pattern.match(scope["path"]) if pattern else None
    texts = match.groupdict() if match else {}
    scope["path_params"] = {
        name: route.param_convertors[name].convert(text) for name, text in texts.items()
    }
    scope.update(get_routing_scope(route))
    return Request(scope)
