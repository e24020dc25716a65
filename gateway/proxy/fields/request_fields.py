"""The header fields of a request as they go on to the service of a proxied route.

The gateway removes the fields that a caller must not set, and then adds its own, so that nothing in
the request can remove or repeat them.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NoReturn

from starlette.exceptions import HTTPException
from starlette.types import Scope

from gateway.proxy.declaration.proxy import Proxy
from gateway.proxy.fields.connection_options import list_connection_options
from gateway.proxy.fields.forwarding_fields import ForwardingFields
from gateway.proxy.fields.request_field_rules import RequestRule, find_request_rule, is_end_to_end
from gateway.proxy.fields.via import build_via
from gateway.request_context import RequestContext
from gateway.settings.errors import escape
from gateway.settings.schema import Server, Service
from gateway.upstream.base_url import BaseUrl
from gateway.upstream.propagation import current_headers

Field = tuple[bytes, bytes]

_MAX_CACHED_NAMES = 1_024
_MAX_SHOWN_NAME = 80
_SAFE_HOST = re.compile(rb"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_DIGITS = re.compile(rb"[0-9]{1,18}")
_TRACE_NAMES = frozenset({"x-request-id", "traceparent", "tracestate"})

_KEEP, _DROP = RequestRule.KEEP, RequestRule.DROP


class RequestFields:
    """Builds the fields of each request to a proxied route, but for those that frame the body."""

    def __init__(self, proxy: Proxy, service: Service, server: Server) -> None:
        self._forward_token = proxy.forward_token
        self._forward_cookies = proxy.forward_cookies
        self._preserve_host = proxy.preserve_host
        self._removed = frozenset(name.lower().encode() for name in proxy.remove_headers)
        self._allow = ", ".join(proxy.methods)
        self._host = BaseUrl.of(str(service.url)).host.encode()
        self._forwarding = ForwardingFields(service, server)
        self._fixed = {name.lower().encode(): it.encode() for name, it in proxy.set_headers.items()}
        self._fixed |= {
            name.encode(): value.get_secret_value().strip().encode()
            for name, value in service.headers.items()
        }
        self._rules: dict[bytes, RequestRule] = {}
        if server.client_address_header is not None:
            self._rules[server.client_address_header.encode()] = RequestRule.CLIENT

    def build(self, scope: Scope, identity: Sequence[Field] = ()) -> list[Field]:
        """Build the fields: those of the caller that may go on, then the gateway's own.

        `identity` says who the caller is. The fields that the route sets win over those of the
        caller, and the `headers` of the service in the settings win over all others.

        Raises:
            HTTPException: 400, a field has two readings; 508, the request has been here before;
                204, the request must not go further (RFC 9110, 7.6.2).
        """
        fields: list[Field] = []
        special: dict[RequestRule, list[Field]] = {}
        find_rule = self._rules.get
        for field in scope["headers"]:
            rule = find_rule(field[0]) or self._find_rule(field[0])
            if rule is _KEEP:
                fields.append(field)
            elif rule is not _DROP:
                special.setdefault(rule, []).append(field)
        fields += self._iter_special(special, scope)
        if RequestRule.CONNECTION in special:
            fields = _remove_named(fields, special[RequestRule.CONNECTION], scope)
        self._add_own(fields, special, scope)
        fields += identity
        if self._fixed:
            fields = [field for field in fields if field[0] not in self._fixed]
            fields += self._fixed.items()
        return fields

    def select_trailers(self, trailers: Sequence[Field]) -> list[Field]:
        """Return the trailers that may go on.

        Some services take a trailer for a header field (RFC 9110, 6.5.1). So none goes on that the
        caller must not send as a field, that the gateway sets, or that changes what a request
        means.
        """
        own = {*self._fixed, *(name.encode() for name in current_headers().fields)}
        return [
            (name, value)
            for name, value in trailers
            if self._find_rule(name) is _KEEP and not is_end_to_end(name) and name not in own
        ]

    def _find_rule(self, name: bytes) -> RequestRule:
        """Find the rule for a name that has not been seen before. Few of them are cached."""
        if name in self._removed:
            rule = _DROP
        else:
            rule = find_request_rule(
                name, forward_token=self._forward_token, forward_cookies=self._forward_cookies
            )
        if len(self._rules) < _MAX_CACHED_NAMES:
            self._rules[name] = rule
        return rule

    def _iter_special(
        self, special: Mapping[RequestRule, Sequence[Field]], scope: Scope
    ) -> Iterator[Field]:
        """Yield the fields of the caller that go on under a condition."""
        once = special.get(RequestRule.ONCE, ())
        if len(dict(once)) < len(once):
            names = [name for name, _ in once]
            name = next(name for name in names if names.count(name) > 1)
            _refuse(f"The header field {name.decode()} has one value, and is sent twice.", scope)
        yield from once
        if RequestRule.MAX_FORWARDS in special:
            yield from self._decrement(special[RequestRule.MAX_FORWARDS], scope)

    def _decrement(self, received: Sequence[Field], scope: Scope) -> Sequence[Field]:
        """Decrement `Max-Forwards` of OPTIONS; of other methods it means nothing."""
        if scope["method"] != "OPTIONS":
            return received
        if len(received) > 1 or not _DIGITS.fullmatch(received[0][1]):
            return ()
        hops = int(received[0][1])
        if hops == 0:
            raise HTTPException(204, headers={"Allow": self._allow})
        return [(b"max-forwards", b"%d" % (hops - 1))]

    def _add_own(
        self, fields: list[Field], special: Mapping[RequestRule, Sequence[Field]], scope: Scope
    ) -> None:
        """Append the fields about the client, the hops and the trace of the request."""
        hosts = special.get(RequestRule.HOST, ())
        fields.append((b"host", self._choose_host(hosts, scope)))
        fields += self._forwarding.build(scope, [*hosts, *special.get(RequestRule.CLIENT, ())])
        fields.append((b"via", build_via(special.get(RequestRule.VIA, ()), scope)))
        propagated = current_headers().fields
        if not propagated.keys() <= _TRACE_NAMES:  # a middleware of the application has added some
            names = {name.encode() for name in propagated}
            fields[:] = [field for field in fields if field[0] not in names]
        for name, value in propagated.items():
            fields.append((name.encode(), value.encode()))

    def _choose_host(self, received: Sequence[Field], scope: Scope) -> bytes:
        if not self._preserve_host or not received or not received[0][1]:
            return self._host
        host = received[0][1]
        if not _SAFE_HOST.fullmatch(host):
            _refuse("The host is not a name or an address with an optional port.", scope)
        return host


def _remove_named(fields: list[Field], connection: Sequence[Field], scope: Scope) -> list[Field]:
    """Remove the fields that `Connection` names.

    The gateway has read some fields to decide on the request. If they could be removed afterwards,
    the service would get another request than the one that was checked.
    """
    names = list_connection_options(connection)
    if not names:
        return fields
    if wrong := sorted(filter(is_end_to_end, names)):
        name = escape(wrong[0][:_MAX_SHOWN_NAME].decode("latin-1"))
        _refuse(f"Connection names {name}, a field that is for the service too.", scope)
    return [field for field in fields if field[0] not in names]


def _refuse(detail: str, scope: Scope) -> NoReturn:
    RequestContext.of(scope).log_fields["error"] = detail
    raise HTTPException(400, detail)
