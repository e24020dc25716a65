"""The header fields of a service's response as they go back to the caller."""

from starlette.types import Scope

from gateway.http1_grammar import Fields
from gateway.proxy.declaration import Proxy
from gateway.proxy.response_field_rules import ResponseRule, find_response_rule
from gateway.proxy.via import RESPONSE_VIA
from gateway.settings.schema import Service

Field = tuple[bytes, bytes]

_MAX_CACHED_NAMES = 1_024
_KEEP, _DROP = ResponseRule.KEEP, ResponseRule.DROP


class ResponseFields:
    """Builds the fields of each response of a proxied route."""

    def __init__(self, proxy: Proxy, service: Service) -> None:
        self._forward_token = proxy.forward_token
        self._forward_cookies = proxy.forward_cookies
        self._rules: dict[bytes, tuple[bytes, ResponseRule]] = {}

    def build(self, fields: Fields, scope: Scope) -> list[Field]:
        """Build the fields: those of the service that may go back, with lower-case names."""
        kept: list[Field] = []
        special: dict[ResponseRule, list[Field]] = {}
        find_rule = self._rules.get
        for raw_name, value in fields:
            name, rule = find_rule(raw_name) or self._find_rule(raw_name)
            if rule is _KEEP:
                kept.append((name, value))
            elif rule is not _DROP:
                special.setdefault(rule, []).append((name, value))
        hops = [value for _, value in special.get(ResponseRule.VIA, ())]
        kept.append((b"via", b", ".join([*hops, RESPONSE_VIA])))
        return kept

    def _find_rule(self, raw_name: bytes) -> tuple[bytes, ResponseRule]:
        name = raw_name.lower()
        found = name, find_response_rule(name)
        if len(self._rules) < _MAX_CACHED_NAMES:
            self._rules[raw_name] = found
        return found
