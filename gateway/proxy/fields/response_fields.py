"""The header fields of a service's response as they go back to the caller."""

from collections.abc import Iterator, Mapping, Sequence

from starlette.types import Scope

from gateway.http1_grammar import Fields
from gateway.proxy.declaration.proxy import Proxy
from gateway.proxy.fields.cache_control import restrict_to_caller
from gateway.proxy.fields.connection_options import list_connection_options
from gateway.proxy.fields.cookies import rewrite_cookie
from gateway.proxy.fields.references import References
from gateway.proxy.fields.response_field_rules import ResponseRule, find_response_rule
from gateway.proxy.fields.trailers import filter_response_trailers
from gateway.proxy.fields.via import RESPONSE_VIA
from gateway.proxy.path.path_mapping import PathMapping
from gateway.settings.schema import Service

Field = tuple[bytes, bytes]

_MAX_CACHED_NAMES = 1_024
_KEEP, _DROP = ResponseRule.KEEP, ResponseRule.DROP


class ResponseFields:
    """Builds the fields of each response of a proxied route."""

    def __init__(self, proxy: Proxy, service: Service) -> None:
        self._is_public = proxy.public is not None
        self._forward_token = proxy.forward_token
        self._forward_cookies = proxy.forward_cookies
        self._preserve_host = proxy.preserve_host
        self._mapping = PathMapping(proxy, service)
        self._references = References(proxy, service)
        self._set_fields = [
            (name.lower().encode(), value.encode())
            for name, value in proxy.set_response_headers.items()
        ]
        self._own_fields = [(b"via", RESPONSE_VIA), *self._set_fields]
        removed = {name.lower().encode() for name in proxy.remove_response_headers}
        self._removed = frozenset(removed.union(name for name, _ in self._set_fields))
        self._rules: dict[bytes, tuple[bytes, ResponseRule]] = {}

    def build(self, fields: Fields, scope: Scope) -> list[Field]:
        """Build the fields: those of the service that may go back, with lower-case names.

        `scope` is that of the request. `Content-Length` stays; the rest of the framing does not.
        Those that the route sets are appended.
        """
        kept: list[Field] = []
        special: dict[ResponseRule, list[Field]] = {}
        find_rule = self._rules.get
        for raw_name, value in fields:
            name, rule = find_rule(raw_name) or self._add_rule(raw_name)
            if rule is _KEEP:
                kept.append((name, value))
            elif rule is not _DROP:
                special.setdefault(rule, []).append((name, value))
        if special:
            kept += self._iter_special(special, scope)
            if ResponseRule.CONNECTION in special:
                named = list_connection_options(special[ResponseRule.CONNECTION])
                kept = [field for field in kept if field[0] not in named] if named else kept
        if ResponseRule.VIA in special:
            hops = [value for _, value in special[ResponseRule.VIA]]
            kept.append((b"via", b", ".join([*hops, RESPONSE_VIA])))
            kept += self._set_fields
        else:
            kept += self._own_fields
        return kept

    def build_interim(self, fields: Fields, scope: Scope) -> list[Field]:
        """Build the fields of an interim response, without those that the route sets."""
        names = dict(self._set_fields)
        return [field for field in self.build(fields, scope) if field[0] not in names]

    def select_trailers(self, trailers: Fields) -> list[Field]:
        """Return the trailers of the service that may go back."""
        fields = filter_response_trailers(trailers)
        return [field for field in fields if field[0].lower() not in self._removed]

    def _add_rule(self, raw_name: bytes) -> tuple[bytes, ResponseRule]:
        """Find the rule for a name that is not in the cache, and add it; a full one begins anew."""
        if len(self._rules) >= _MAX_CACHED_NAMES:
            self._rules.clear()
        name = raw_name.lower()
        found = name, _DROP if name in self._removed else find_response_rule(name)
        self._rules[raw_name] = found
        return found

    def _iter_special(
        self, special: Mapping[ResponseRule, Sequence[Field]], scope: Scope
    ) -> Iterator[Field]:
        """Yield the fields that go back changed, or under a condition."""
        if ResponseRule.REFERENCE in special:
            yield from self._references.rewrite(special[ResponseRule.REFERENCE], scope)
        if self._forward_token:
            yield from special.get(ResponseRule.CHALLENGE, ())
        if self._forward_cookies:
            yield from self._iter_cookies(special.get(ResponseRule.COOKIE, ()), scope)
        if self._is_public:
            yield from special.get(ResponseRule.CACHE_CONTROL, ())
            yield from special.get(ResponseRule.SHARED_CACHE, ())
        elif ResponseRule.CACHE_CONTROL in special:
            value = b", ".join(value for _, value in special[ResponseRule.CACHE_CONTROL])
            yield b"cache-control", restrict_to_caller(value)

    def _iter_cookies(self, cookies: Sequence[Field], scope: Scope) -> Iterator[Field]:
        if cookies:
            prefixes = self._mapping.fill_prefixes(scope)
            for name, value in cookies:
                yield name, rewrite_cookie(value, *prefixes, keep_domain=self._preserve_host)
