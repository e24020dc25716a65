"""A certificate authority for the tests that use TLS."""

import pytest

from tests.gateway.transport.certificate_authority import Authority


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that only these tests trust."""
    return Authority(tmp_path_factory.mktemp("authority"))
