"""The contract passes for the sample application, and fails for one that breaks it."""

from gateway.testing import ApplicationContract


class TestContract(ApplicationContract):
    package = "tests.sample"
