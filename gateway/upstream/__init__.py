"""The framework of typed clients: everything that a file in `clients/` imports."""

from gateway.upstream.client import NoContent, ServiceClient
from gateway.upstream.errors import (
    UpstreamError,
    UpstreamInvalid,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from gateway.upstream.model import ResponseModel, Timestamp
from gateway.upstream.pending import PendingCall

__all__ = [
    "NoContent",
    "PendingCall",
    "ResponseModel",
    "ServiceClient",
    "Timestamp",
    "UpstreamError",
    "UpstreamInvalid",
    "UpstreamRefused",
    "UpstreamTimeout",
    "UpstreamUnavailable",
]
