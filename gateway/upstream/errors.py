"""The errors of calls to downstream services.

UpstreamError
├── UpstreamTimeout        the service did not respond in time
├── UpstreamUnavailable    the service was unreachable, cut off its response, or sent 5xx or 429
├── UpstreamRefused        the service responded with 3xx or 4xx: a retry would fail again
└── UpstreamInvalid        the response is not of the type that its client declares

InvalidArgument is raised before anything is sent: a value given to a client method cannot be sent.
"""

from typing import ClassVar, Literal

UpstreamReason = Literal["timeout", "unavailable", "refused", "invalid"]


class UpstreamError(Exception):
    """A failed call to a downstream service.

    `detail` is for the log. It never quotes the body.
    """

    reason: ClassVar[UpstreamReason]

    def __init__(
        self,
        service: str,
        operation: str,
        detail: str = "",
        *,
        status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(service, operation, detail)
        self.service = service
        self.operation = operation
        self.detail = detail
        self.status = status
        self.retry_after = retry_after

    def __str__(self) -> str:
        """Return service, operation, reason and detail on one line."""
        return f"{self.service} {self.operation}: {self.reason}" + (
            f" ({self.detail})" if self.detail else ""
        )


class UpstreamTimeout(UpstreamError):
    """The service did not respond in time."""

    reason = "timeout"


class UpstreamUnavailable(UpstreamError):
    """The service was unreachable, cut off its response, or responded with 5xx or 429."""

    reason = "unavailable"


class UpstreamRefused(UpstreamError):
    """The service responded with 3xx or 4xx: a retry would fail again."""

    reason = "refused"


class UpstreamInvalid(UpstreamError):
    """The response is not of the type that its client declares."""

    reason = "invalid"


class InvalidArgument(ValueError):
    """A value given to a typed client that no request can carry, such as ".." as a path segment.

    The gateway responds with 422, because such values come from its caller. A mistake in the code
    of the client, such as a placeholder without a value, is a plain ValueError and a 500.

    `name` is the name of the value in the call. `reason` never quotes the value.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, reason)
        self.name = name
        self.reason = reason

    def __str__(self) -> str:
        """Return name and reason on one line."""
        return f"{self.name}: {self.reason}"
