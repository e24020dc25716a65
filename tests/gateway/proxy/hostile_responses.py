"""Responses of a service that programs read differently. No caller may receive an `X-Evil`."""

OK = b"HTTP/1.1 200 OK\r\n"
_TE = b"Transfer-Encoding: chunked\r\n"
_EVIL = b"HTTP/1.1 200 OK\r\nX-Evil: 1\r\nContent-Length: 0\r\n\r\n"

MALFORMED: dict[str, bytes] = {
    "CL.CL": OK + b"Content-Length: 0\r\nContent-Length: 2\r\n\r\nok",
    "CL list": OK + b"Content-Length: 2, 3\r\n\r\nok",
    "CL plus": OK + b"Content-Length: +2\r\n\r\nok",
    "CL negative": OK + b"Content-Length: -2\r\n\r\nok",
    "CL hex": OK + b"Content-Length: 0x2\r\n\r\nok",
    "CL empty": OK + b"Content-Length:\r\n\r\nok",
    "CL overflow": OK + b"Content-Length: 18446744073709551618\r\n\r\nok",
    "CL.TE": OK + b"Content-Length: 2\r\n" + _TE + b"\r\n2\r\nok\r\n0\r\n\r\n",
    "TE list": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "TE unknown": OK + b"Transfer-Encoding: xchunked\r\n\r\nok",
    "TE space before colon": OK + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "chunk size": OK + _TE + b"\r\nxyz\r\nok\r\n0\r\n\r\n",
    "chunk size plus": OK + _TE + b"\r\n+2\r\nok\r\n0\r\n\r\n",
    "value with NUL": OK + b"X: a\0b\r\nContent-Length: 2\r\n\r\nok",
    "value with a bare CR": OK + b"X: a\rX-Evil: 1\r\nContent-Length: 2\r\n\r\nok",
    "name with a space": OK + b"X Evil: 1\r\nContent-Length: 2\r\n\r\nok",
    "name with UTF-8": OK + "X-\u00e9: 1\r\nContent-Length: 2\r\n\r\nok".encode(),
    "name empty": OK + b": 1\r\nContent-Length: 2\r\n\r\nok",
    "no colon": OK + b"X-Evil\r\nContent-Length: 2\r\n\r\nok",
    "status of two digits": b"HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nok",
    "status of four digits": b"HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok",
    "status with letters": b"HTTP/1.1 2x0 OK\r\nContent-Length: 2\r\n\r\nok",
    "no status": b"HTTP/1.1 \r\nContent-Length: 2\r\n\r\nok",
    "another protocol": b"ICY 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/2": b"HTTP/2 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "a request": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "HTTP/0.9": b"ok\r\n",
    "TLS alert": b"\x15\x03\x01\x00\x02\x02\x16",
    "129 fields": OK + b"X: a\r\n" * 129 + b"Content-Length: 2\r\n\r\nok",
    "a field of 70,000 bytes": OK + b"X: %b\r\n\r\n" % (b"a" * 70_000),
    "101 that was not asked for": b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\n\r\n",
    "nothing": b"",
    "407": b"HTTP/1.1 407 X\r\nProxy-Authenticate: Basic\r\nContent-Length: 2\r\n\r\nok",
    "half a head": OK + b"X: a\r\n",
    "folded": OK + b"X: a\r\n b\r\nContent-Length: 2\r\n\r\nok",
    "equal lengths": OK + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nok",
    "bare LF": b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
}
"""Each becomes a problem with 502 or 503: no part of it reaches the caller."""

PASSED: dict[str, bytes] = {
    "plain": OK + b"Content-Length: 2\r\n\r\nok",
    "until the end": OK + b"\r\nok",
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\n\r\nok",
    "chunks": OK + _TE + b"\r\n1\r\no\r\n1;a=b\r\nk\r\n0\r\nX-Evil: 1\r\n\r\n",
    "a second response": OK + b"Content-Length: 2\r\n\r\nok" + _EVIL,
    "a second response after chunks": OK + _TE + b"\r\n2\r\nok\r\n0\r\n\r\n" + _EVIL,
    "100 first": b"HTTP/1.1 100 Continue\r\nX-Evil: 1\r\n\r\n"
    + OK
    + b"Content-Length: 2\r\n\r\nok",
    "reason with X-Evil": b"HTTP/1.1 200 OK X-Evil: 1\r\nContent-Length: 2\r\n\r\nok",
    "no reason": b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok",
    "a reason in UTF-8": "HTTP/1.1 200 \u00e9\r\nContent-Length: 2\r\n\r\nok".encode(),
    "value with obs-text": OK + b"X: \xe9\r\nContent-Length: 2\r\n\r\nok",
    "hop-by-hop": OK + b"X-Evil: 1\r\nConnection: x-evil\r\nContent-Length: 2\r\n\r\nok",
    "status 299": b"HTTP/1.1 299 Odd\r\nContent-Length: 2\r\n\r\nok",
    "status 999": b"HTTP/1.1 999 Odd\r\nContent-Length: 2\r\n\r\nok",
    "status 600": b"HTTP/1.1 600 Odd\r\nContent-Length: 2\r\n\r\nok",
    "204 with a length": b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
    "204 with a body": b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok",
    "304 with a length": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
    "205": b"HTTP/1.1 205 Reset\r\nContent-Length: 0\r\n\r\n",
    "length with a zero": OK + b"Content-Length: 02\r\n\r\nok",
    "name with an underscore": OK + b"X_A: 1\r\nContent-Length: 2\r\n\r\nok",
    "long Cache-Control": OK
    + b"Cache-Control: %b\r\nContent-Length: 2\r\n\r\nok" % (b'"\\' * 20_000),
}
