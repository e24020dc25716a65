"""The base class of endpoints that always return a `Response`, as that of a proxied route."""

from abc import ABC, abstractmethod

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope


class UnhandledResponse(Response):
    """A response that no exception handler needs to watch while it is sent.

    Handlers cannot replace a response that has begun. `RequestContextMiddleware` responds to an
    error of one that has not, as it does for all errors outside the handlers.
    """


class ResponseEndpoint(ABC):
    """An endpoint whose result needs no serialization, so that its route can be compiled.

    An annotation `-> Response` does not promise that: FastAPI serializes whatever else a function
    returns.
    """

    @abstractmethod
    async def __call__(self, request: Request) -> Response:
        """Serve one request, which the guards of the route have admitted."""

    def find_path_fault(self, scope: Scope) -> str:
        """Return the sentence why each request with this path is refused; "" if none is.

        The scope is that of a request that the route has matched.
        """
        return ""
