"""The endpoint of a proxied route: sends the request on to the service, and its response back."""

from time import perf_counter

import httpx
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from gateway.auth.dependencies import find_principal
from gateway.open_clients import OpenService, OpenServices
from gateway.proxy.declaration import Proxy
from gateway.proxy.identity_fields import build_identity_fields
from gateway.proxy.open_upstream import open_upstream
from gateway.proxy.proxied_response import ProxiedResponse
from gateway.proxy.request_fields import RequestFields
from gateway.proxy.response_fields import ResponseFields
from gateway.proxy.stream_limit import Stream, StreamLimit
from gateway.proxy.target import ProxyTarget
from gateway.proxy.upload import LONG_BYTES, Upload, find_upload
from gateway.proxy.upstream import UpstreamRequest, UpstreamResponse
from gateway.request_context import RequestContext
from gateway.settings.schema import Server
from gateway.transport.response_parser import MalformedResponse
from gateway.upstream.error_mapping import map_error
from gateway.upstream.errors import UpstreamError, UpstreamInvalid

_FAILURES = (TimeoutError, httpx.RequestError)
