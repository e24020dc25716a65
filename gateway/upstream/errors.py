"""What can go wrong with a downstream service, as the caller of it needs to tell apart.

UpstreamError
├── UpstreamTimeout        it did not answer in time
├── UpstreamUnavailable    it could not be reached, broke off, or answered 5xx or 429
├── UpstreamRefused        it answered 4xx (or a redirect): asking again will not help
└── UpstreamInvalid        it answered, but not with what its type says
"""

from typing import ClassVar, Literal

UpstreamReason = Literal["timeout", "unavailable", "refused", "invalid"]


class UpstreamError(Exception):
    """A call to a downstream service that brought no usable answer.

    `detail` is for the log: it names what was wrong, never what the body held.
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
        """One line: service, operation, reason and detail."""
        return f"{self.service} {self.operation}: {self.reason}" + (
            f" ({self.detail})" if self.detail else ""
        )


class UpstreamTimeout(UpstreamError):
    """The service did not answer in time."""

    reason = "timeout"


class UpstreamUnavailable(UpstreamError):
    """The service could not be reached, broke off its answer, or answered 5xx or 429."""

    reason = "unavailable"


class UpstreamRefused(UpstreamError):
    """The service answered 4xx or a redirect: the same call will fail again."""

    reason = "refused"


class UpstreamInvalid(UpstreamError):
    """The service answered with something that is not what its type says."""

    reason = "invalid"
