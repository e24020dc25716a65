"""The forms that a request target may have."""

import pytest

from tests.gateway.server.in_memory import RESPONSE, Client, Echo, build_request


@pytest.mark.parametrize(
    ("request_text", "path", "query", "host"),
    [
        (build_request(b"//e/x"), "//e/x", b"", b"x"),
        (build_request(b"/a:80?b?c"), "/a:80", b"b?c", b"x"),
        (build_request(b"/%"), "/%", b"", b"x"),
        (build_request(b"/%ff"), "/\ufffd", b"", b"x"),
        (build_request(b"http://y:81/a?b"), "/a", b"b", b"y:81"),
        (build_request(b"HTTPS://[::1]"), "/", b"", b"[::1]"),
        (build_request(b"http://y?b"), "/", b"b", b"y"),
        (build_request(b"*", method=b"OPTIONS"), "*", b"", b"x"),
        (build_request(b"/", b"Host:\r\n"), "/", b"", b""),
        (build_request(b"/", b"Host: x.y_z:80\r\n"), "/", b"", b"x.y_z:80"),
    ],
)
async def test_a_target_may_have_these_forms(
    request_text: bytes, path: str, query: bytes, host: bytes
) -> None:
    app = Echo()
    client = Client(app)
    assert await client.send(request_text) == RESPONSE
    [(scope, _)] = app.seen
    assert (scope["path"], scope["query_string"]) == (path, query)
    assert scope["headers"] == [(b"host", host)]
    await client.disconnect()
