"""`Via` of requests, and loops."""

import pytest
from starlette.exceptions import HTTPException

from gateway.proxy.fields.via import PSEUDONYM, RESPONSE_VIA, build_via
from gateway.request_context import RequestContext


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_the_gateway_is_the_last_hop(version: str) -> None:
    own = b"%b %b" % (version.encode(), PSEUDONYM)
    scope = {"http_version": version}
    assert build_via([], scope) == own
    assert build_via([(b"via", b"1.1 a"), (b"via", b"2 b")], scope) == b"1.1 a, 2 b, " + own


def test_another_lockgate_in_front_is_no_loop() -> None:
    assert build_via([(b"via", b"1.1 lockgate-00000000x")], {"http_version": "1.1"})


def test_a_hop_that_is_this_process_is_a_loop() -> None:
    scope = {"http_version": "1.1"}
    with pytest.raises(HTTPException) as loop:
        build_via([(b"via", b"1.1 a"), (b"via", b"1.1 b, " + RESPONSE_VIA)], scope)
    assert loop.value.status_code == 508
    assert "come back" in str(RequestContext.of(scope).log_fields["error"])
