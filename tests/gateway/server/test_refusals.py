"""What is not a request for this server gets a response that says so, and a line in the log."""

import json
import logging

import pytest

from tests.gateway.server.in_memory import POST, Client, Echo, build_request

CLIENT_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40)


@pytest.mark.parametrize(
    ("sent", "status", "detail", "hint"),
    [
        (CLIENT_HELLO, 400, "plain HTTP, not HTTPS", "TLS handshake on the plain port"),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 80\r\n", 400, "PROXY protocol", "turn it off"),
        (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c", 400, "PROXY protocol", "turn it off"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "HTTP/2", "HTTP/1.1 towards"),
        (b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505, "1.1 and 1.0", "1.1 and 1.0"),
        (b"GET / HTTP/3.0\r\nHost: x\r\n\r\n", 505, "1.1 and 1.0", "1.1 and 1.0"),
        (b"GET / HTTP/1.2\r\nHost: x\r\n\r\n", 505, "1.1 and 1.0", "1.1 and 1.0"),
        (b"GET / HTTP/0.9\r\n\r\n", 505, "1.1 and 1.0", "1.1 and 1.0"),
        (b"GET /\r\n\r\n", 505, "1.1 and 1.0", "1.1 and 1.0"),
        (b"GET / http/1.1\r\nHost: x\r\n\r\n", 400, "Invalid HTTP", "Expected HTTP/"),
        (b"GET / RTSP/1.0\r\nHost: x\r\n\r\n", 400, "not HTTP", "not HTTP"),
        (b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n", 400, "not HTTP", "not HTTP"),
        (b"\r\nGET / RTSP/1.0\r\nHost: x\r\n\r\n", 400, "not HTTP", "not HTTP"),
        (build_request(b"/", method=b"FOO"), 501, "method is not known", "method"),
        (build_request(b"/", method=b"get"), 501, "method is not known", "method"),
        (b"SOURCE /a ICE/1.0\r\n\r\n", 400, "not HTTP", "not HTTP"),
        (build_request(b"y:443", method=b"CONNECT"), 400, "Invalid HTTP", "CONNECT is a method"),
        (build_request(b"/", b""), 400, "exactly one Host", "exactly one Host"),
        (build_request(b"/", b"Host: x\r\nHost: x\r\n"), 400, "exactly one Host", "Host"),
        (build_request(b"/" + b"a" * 70_000), 414, "longer than 65536 bytes", "65536"),
        (build_request(b"/", b"a: " + b"b" * 70_000), 431, "larger than 65536 bytes", "65536"),
        (build_request(b"/", b"a: b\r\n" * 129), 431, "more than 128 header fields", "128"),
        (POST + b"Expect: a wonder\r\n\r\n", 417, "100-continue", "100-continue"),
        (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 400, "is chunked", "is chunked"),
        (POST + b"Content-Length: +5\r\n\r\nhello", 400, "Invalid HTTP", "in Content-Length"),
        (POST + b"Content-Length: 5, 5\r\n\r\nhello", 400, "Invalid HTTP", "Content-Length"),
        (
            POST + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\na",
            400,
            "Invalid HTTP",
            "Duplicate Content-Length",
        ),
        (
            POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
            "Invalid HTTP",
            "can't be present with Content-Length",
        ),
        (build_request(b"/", b"Host: x\r\n y\r\n"), 400, "Invalid HTTP", "whitespace after"),
        (b"GET / HTTP/1.1\nHost: x\n\n", 400, "Invalid HTTP", "Expected CRLF after version"),
    ],
    ids=str,
)
async def test_a_refusal_says_why(
    sent: bytes, status: int, detail: str, hint: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    app = Echo()
    client = Client(app)
    response = await client.send(*(sent[at : at + 60_000] for at in range(0, len(sent), 60_000)))
    head, _, content = response.partition(b"\r\n\r\n")
    document = json.loads(content)
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"\r\nconnection: close" in head
    assert document["status"] == status
    assert detail in document["detail"]
    assert client.is_eof_sent
    assert app.begun == 0
    (record,) = caplog.records
    assert record.msg == "request.malformed"
    fields = record.fields  # type: ignore[attr-defined]
    assert fields["id"] == document["instance"]
    assert (fields["status"], fields["client"]) == (status, "192.0.2.7")
    assert hint in fields["reason"]
    await client.disconnect()


@pytest.mark.parametrize(
    "sent",
    [
        b"\r\n\r\n" + build_request(b"/"),
        build_request(b"/?q=HTTP/2.0&x=RTSP/1.0"),
        build_request(b"/", b"Host: x\r\nReferer: GET / RTSP/1.0\r\n"),
        build_request(b"/", method=b"TRACE"),
        build_request(b"/", b"Host: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"),
        POST + b"Transfer-Encoding: chunked\r\n\r\n2;a=b\r\nok\r\n0\r\nX-T: u\r\n\r\n",
        POST.replace(b"POST", b"GET") + b"Content-Length: 5\r\n\r\nhello",
        POST + b"Expect: 100-Continue\r\nContent-Length: 2\r\n\r\nok",
        b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
    ],
    ids=str,
)
async def test_what_is_unusual_and_valid_is_accepted(sent: bytes) -> None:
    app = Echo()
    client = Client(app)
    assert b"HTTP/1.1 200 OK\r\n" in await client.send(sent)
    assert len(app.seen) == 1
    await client.disconnect()
