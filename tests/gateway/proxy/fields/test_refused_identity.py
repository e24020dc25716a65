"""A 401 of a service: whether it is for the caller, or for the gateway."""

import json
from pathlib import Path

from tests.gateway.proxy.recorded_proxy import (
    list_statuses,
    make_caller_token,
    send_all,
    serve_recorded,
)

CASES = {
    (b"token", 401): 502,
    (b"headers", 401): 502,
    (b"forward", 401): 401,
    (b"none", 401): 401,
    (b"public", 401): 401,
    (b"token", 403): 403,
    (b"token", 404): 404,
    (b"token", 407): 502,
    (b"public", 407): 502,
}


HANDSHAKE = (
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
)


async def test_a_refused_handshake_is_no_401_of_the_gateway(tmp_path: Path) -> None:
    token = b"Authorization: Bearer %b\r\n" % make_caller_token()
    request = b"GET /socket/status/401 HTTP/1.1\r\nHost: x\r\n%b%b\r\n" % (token, HANDSHAKE)
    async with serve_recorded(tmp_path) as proxy:
        (answer,) = await send_all(proxy.port, [request])
        (received,) = proxy.recording.read()
    assert list_statuses(answer) == [502]
    assert len(received.get_all(b"authorization")) == 1


async def test_a_refused_identity_is_no_401_of_the_gateway(
    tmp_path: Path,
) -> None:
    line = b"GET /%b/status/%d HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + make_caller_token()
    async with serve_recorded(tmp_path) as proxy:
        requests = [line % case + b"\r\n\r\n" for case in CASES]
        answers = await send_all(proxy.port, requests)
    for ((route, _), expected), answer in zip(CASES.items(), answers, strict=True):
        assert list_statuses(answer) == [expected], route
        head, _, body = answer.partition(b"\r\n\r\n")
        assert (b"www-authenticate: Basic" in head) == (route == b"forward")
        if expected == 502:
            assert json.loads(body)["type"] == "urn:lockgate:problem:upstream-refused"
            assert b"ok" not in body
