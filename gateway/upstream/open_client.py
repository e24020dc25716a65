"""Creation of a typed client from the settings of its service."""

from logging import DEBUG
from typing import TypeVar

import httpx

from gateway.settings.schema import Service
from gateway.transport.tls import ClientTls
from gateway.transport.transport import Transport
from gateway.upstream.call_log import CallLog, log
from gateway.upstream.call_policy import CallPolicy
from gateway.upstream.client import ServiceClient
from gateway.upstream.httpx_transport import HttpxTransport
from gateway.upstream.resilience.retry import Retry, RetryBudget
from gateway.upstream.service_headers import GetRequestFields, ServiceHeaders
from gateway.upstream.tls_settings import create_client_tls

Client = TypeVar("Client", bound=ServiceClient)


def open_client(
    kind: type[Client],
    service: Service,
    transport: httpx.AsyncBaseTransport | None = None,
    *,
    request_fields: tuple[GetRequestFields, ...] = (),
) -> Client:
    """Create a client of class `kind`, for use with `async with`.

    `transport` is by default a new one with the settings of the service. `request_fields` return
    the fields that depend on the request.

    Raises:
        ValueError: the URL is not a URL of scheme, host, port and path only.
    """
    return kind(
        str(service.url),
        timeout=service.timeout,
        connect_timeout=service.connect_timeout,
        max_body_bytes=service.max_body_bytes,
        transport=transport or create_transport(service),
        headers=_create_service_headers(service, request_fields),
        policies=[*_create_policies(service), *_create_log(kind.name)],
    )


def create_transport(service: Service, tls: ClientTls | None = None) -> httpx.AsyncBaseTransport:
    """Create the transport to a service; `tls` None takes the TLS settings of the service alone."""
    tls = tls or create_client_tls(service, None)
    if service.transport == "lockgate":
        return Transport(
            max_connections=service.max_connections,
            idle_seconds=service.idle_seconds,
            max_age_seconds=service.max_age_seconds,
            tls=tls,
        )
    limits = httpx.Limits(
        max_connections=service.max_connections,
        max_keepalive_connections=service.max_connections,
        keepalive_expiry=service.idle_seconds,
    )
    return HttpxTransport(tls=tls, is_https=service.url.scheme == "https", limits=limits)


def _create_service_headers(
    service: Service, request_fields: tuple[GetRequestFields, ...]
) -> ServiceHeaders | None:
    fixed = {name: value.get_secret_value() for name, value in service.headers.items()}
    if service.accept_encoding:
        fixed["accept-encoding"] = ", ".join(service.accept_encoding)
    if not (fixed or service.forward_headers or service.forward_token or request_fields):
        return None
    return ServiceHeaders(
        fixed=fixed,
        forward=service.forward_headers,
        forward_token=service.forward_token,
        request_fields=request_fields,
    )


def _create_log(service: str) -> list[CallPolicy]:
    """Create the innermost policy, which sees every attempt, if the log has the level debug."""
    return [CallLog(service)] if log.isEnabledFor(DEBUG) else []


def _create_policies(service: Service) -> list[CallPolicy]:
    """Create the policies of the settings, outermost first."""
    retry = service.retry
    if retry.attempts == 1:
        return []
    budget = RetryBudget(share=retry.budget_percent / 100, minimum=retry.budget_minimum)
    return [
        Retry(
            retry.attempts,
            budget=budget,
            backoff=retry.backoff_ms / 1_000,
            max_backoff=retry.max_backoff_ms / 1_000,
        )
    ]
