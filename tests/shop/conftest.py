"""Lets respx mock the transport of the typed clients."""

import tests.gateway.upstream.respx_mocking  # noqa: F401 - registers it with respx
