"""Problems that have the name of another one."""

from gateway.upstream import ServiceClient, UpstreamProblem


class Conflict(UpstreamProblem, status=409, type="https://acme.example/problems/payments/conflict"):
    """The payment has changed."""


class Payments(ServiceClient, name="payments"):
    """A client with a problem of its own."""

    class Conflict(
        UpstreamProblem, status=409, type="https://acme.example/problems/payments/nested"
    ):
        """The account has changed."""
