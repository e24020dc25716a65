"""The contract of every application, for the shop."""

from gateway.testing import ApplicationContract


class TestContract(ApplicationContract):
    """The routes and composites of the shop."""
