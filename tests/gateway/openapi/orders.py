"""A problem that has the name of another one."""

from gateway.upstream import UpstreamProblem


class Conflict(UpstreamProblem, status=409, type="https://acme.example/problems/orders/conflict"):
    """The order has changed."""
