"""The framework of typed clients: the public API for the files in `clients/`."""

from gateway.upstream.call import Call, IdempotentCall
from gateway.upstream.call_policy import CallPolicy
from gateway.upstream.client import NoContent, ServiceClient
from gateway.upstream.errors import (
    InvalidArgument,
    UpstreamError,
    UpstreamInvalid,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from gateway.upstream.field_types import DecimalText, EpochMilliseconds, EpochSeconds
from gateway.upstream.model import ResponseModel, Timestamp
from gateway.upstream.pending import PendingCall
from gateway.upstream.problem import UpstreamProblem
from gateway.upstream.propagation import propagate_headers
from gateway.upstream.query import Params
from gateway.upstream.raises_decorator import raises
from gateway.upstream.response import UpstreamResponse
from gateway.upstream.streaming import StreamedResponse

__all__ = [
    "Call",
    "CallPolicy",
    "DecimalText",
    "EpochMilliseconds",
    "EpochSeconds",
    "IdempotentCall",
    "InvalidArgument",
    "NoContent",
    "Params",
    "PendingCall",
    "ResponseModel",
    "ServiceClient",
    "StreamedResponse",
    "Timestamp",
    "UpstreamError",
    "UpstreamInvalid",
    "UpstreamProblem",
    "UpstreamRefused",
    "UpstreamResponse",
    "UpstreamTimeout",
    "UpstreamUnavailable",
    "propagate_headers",
    "raises",
]
