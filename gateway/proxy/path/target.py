"""The request target that is sent to the service of a proxied route (RFC 9112, section 3.2.1)."""

from starlette.exceptions import HTTPException
from starlette.types import Scope

from gateway.proxy.declaration.proxy import Proxy
from gateway.proxy.path.ambiguous_path import find_ambiguity
from gateway.proxy.path.path_mapping import PathMapping, UnmappedPath
from gateway.request_context import RequestContext
from gateway.settings.schema import Service


class ProxyTarget:
    """Builds the target of each request to a proxied route."""

    def __init__(self, proxy: Proxy, service: Service) -> None:
        self._mapping = PathMapping(proxy, service)
        self._base_path = self._mapping.base_path
        self._encoded_slashes = proxy.encoded_slashes
        self._path_parameters = proxy.path_parameters
        # `/x/{path}/y` becomes `/x//y` if the rest of the path is empty.
        self._can_have_empty_segment = any(
            f"/{{{name}}}/" in proxy.target_path
            for name, has_several in proxy.parameters.items()
            if has_several
        )

    def build(self, scope: Scope) -> bytes:
        """Return path and query: the base path, the target of the route, the query unchanged.

        Raises:
            HTTPException: 400, services may differ in what the path means.
        """
        try:
            path = self._mapping.fill_target(scope)
        except UnmappedPath:
            raise _refuse("cannot be matched as it was received", scope) from None
        if self._can_have_empty_segment and b"//" in path:
            raise _refuse("leaves a segment of the service's path empty (//)", scope)
        ambiguity = find_ambiguity(
            path, encoded_slashes=self._encoded_slashes, path_parameters=self._path_parameters
        )
        if ambiguity:
            raise _refuse(ambiguity, scope)
        query: bytes = scope["query_string"]
        return b"%b%b?%b" % (self._base_path, path, query) if query else self._base_path + path

    def find_fault(self, scope: Scope) -> str:
        """Return the sentence why `build` refuses the path of a request; "" if it does not."""
        try:
            self.build(scope)
        except HTTPException as refusal:
            return refusal.detail
        return ""


def _refuse(reason: str, scope: Scope) -> HTTPException:
    detail = f"The path {reason}."
    RequestContext.of(scope).log_fields["error"] = detail
    return HTTPException(400, detail)
