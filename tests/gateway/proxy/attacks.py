"""Requests that programs read differently, each sent raw to a proxied route.

They come from James Kettle's "HTTP Desync Attacks", "Browser-Powered Desync Attacks" and "HTTP/1.1
must die", from Nathan Davison's "Abusing HTTP hop-by-hop request headers", from Orange Tsai's
"Breaking Parser Logic", and from advisories of proxies, which comments name. `build_attacks` gives
each case a number in place of NNN. The service must never receive a request for `hiddenNNN`.
"""

HIDDEN = b"GET /public/hiddenNNN HTTP/1.1\r\nHost: x\r\nX: "
_CASE = b"/public/caseNNN"
_TE = b"Transfer-Encoding: chunked\r\n"
_END = b"0\r\n\r\n"


def _post(
    fields: bytes, body: bytes = b"", *, line: bytes = b"POST /public/caseNNN HTTP/1.1"
) -> bytes:
    return b"%b\r\nHost: x\r\n%b\r\n%b" % (line, fields, body)


def _get(target: bytes, fields: bytes = b"") -> bytes:
    return b"GET %b HTTP/1.1\r\nHost: x\r\n%b\r\n" % (target, fields)


def _length(body: bytes, fields: bytes = b"") -> bytes:
    return _post(b"Content-Length: %d\r\n%b" % (len(body), fields), body)


_BOTH = _END + HIDDEN

FRAMING: dict[str, bytes] = {
    "CL.0": _post(b"Content-Length: %d\r\n" % len(HIDDEN), HIDDEN),
    "0.CL": _post(b"Content-Length : %d\r\n" % len(HIDDEN), HIDDEN),
    "0.CL folded": _post(b"Content-Length:\r\n %d\r\n" % len(HIDDEN), HIDDEN),
    "0.CL of GET": _get(_CASE, b"Content-Length: %d\r\n" % len(HIDDEN)) + HIDDEN,
    "TE.0": _post(_TE, b"%x\r\n%b\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN)),
    "TE.0 of OPTIONS": _post(
        _TE,
        b"%x\r\n%b\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN),
        line=b"OPTIONS /public/caseNNN HTTP/1.1",
    ),
    "CL.0 of DELETE": _post(
        b"Content-Length: %d\r\n" % len(HIDDEN), HIDDEN, line=b"DELETE /public/caseNNN HTTP/1.1"
    ),
    "CL.0 of HEAD": _post(
        b"Content-Length: %d\r\n" % len(HIDDEN), HIDDEN, line=b"HEAD /public/caseNNN HTTP/1.1"
    ),
    "CL.TE": _length(_BOTH, _TE),
    "TE.CL": _post(
        b"Content-Length: 4\r\n" + _TE, b"%x\r\n%b\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN)
    ),
    "CL.CL": _post(b"Content-Length: 0\r\nContent-Length: %d\r\n" % len(HIDDEN), HIDDEN),
    "CL.CL equal": _post(b"Content-Length: 1\r\nContent-Length: 1\r\n", b"a" + HIDDEN),
    "CL list": _post(b"Content-Length: 0, 0\r\n", HIDDEN),
    "CL with a leading zero": _post(b"Content-Length: 01\r\n", b"a" + HIDDEN),
    "CL of 19 zeros": _post(b"Content-Length: 0000000000000000001\r\n", b"a" + HIDDEN),
    "CL of 2^64": _post(b"Content-Length: 18446744073709551617\r\n", b"a" + HIDDEN),
    "CL exponent": _post(b"Content-Length: 1e0\r\n", b"a" + HIDDEN),
    "CL with spaces": _post(b"Content-Length: 1 1\r\n", b"a" + HIDDEN),
    "CL in Arabic digits": _post("Content-Length: \u0661\r\n".encode(), b"a" + HIDDEN),
    "CL quoted": _post(b'Content-Length: "1"\r\n', b"a" + HIDDEN),
    "CL comment": _post(b"Content-Length: 1 (0)\r\n", b"a" + HIDDEN),
    "TE list": _length(_BOTH, b"Transfer-Encoding: gzip, chunked\r\n"),
    "TE gzip": _post(b"Transfer-Encoding: gzip\r\n", HIDDEN),
    "TE identity": _length(b"a", b"Transfer-Encoding: identity\r\n") + HIDDEN,
    "TE mixed case": _length(_BOTH, b"tRANSFER-eNCODING: cHUNKED\r\n"),
    "TE empty": _length(_BOTH, b"Transfer-Encoding:\r\n"),
    "TE comma": _post(b"Transfer-Encoding: ,chunked\r\n", _BOTH),
    "TE twice": _post(_TE + _TE, _BOTH),
    "TE with NUL": _length(_BOTH, b"Transfer-Encoding: chunked\0\r\n"),
    "TE with a semicolon": _length(_BOTH, b"Transfer-Encoding: chunked;\r\n"),
    "TE after no break space": _length(_BOTH, b"Transfer-Encoding:\xa0chunked\r\n"),
    "TE with 0x85": _length(_BOTH, b"Transfer-Encoding: chunked\x85\r\n"),
    "TE with an underscore": _length(_BOTH, b"Transfer_Encoding: chunked\r\n"),
    "TE with a dot": _length(_BOTH, b"Transfer.Encoding: chunked\r\n"),
    "CL with an underscore": _post(b"Content_Length: %d\r\n" % len(HIDDEN), HIDDEN),
    "TE after a bare CR": _length(_BOTH, b"X: a\rTransfer-Encoding: chunked\r\n"),
    "TE after a bare LF": _length(_BOTH, b"X: a\nTransfer-Encoding: chunked\r\n"),
    "TE after a fold": _length(_BOTH, b"X: a\r\n Transfer-Encoding: chunked\r\n"),
    "TE of HTTP/1.0": _post(_TE, _BOTH, line=b"POST /public/caseNNN HTTP/1.0"),
    "CL and TE of HTTP/1.0": _length(_BOTH, _TE).replace(b"HTTP/1.1", b"HTTP/1.0", 1),
    "TE named by Connection": _length(_BOTH, _TE + b"Connection: Transfer-Encoding\r\n"),
    "CL named by Connection": _length(HIDDEN, b"Connection: Content-Length\r\n"),
    "lone CL named by Connection": _length(HIDDEN, b"Connection: close, content-length\r\n"),
    "TE alone named by Connection": _post(_TE + b"Connection: Transfer-Encoding\r\n", _BOTH),
    "size with a leading zero": _post(_TE, b"01\r\na\r\n" + _BOTH),
    "size 0x": _post(_TE, b"0x1\r\na\r\n" + _BOTH),
    "size plus": _post(_TE, b"+1\r\na\r\n" + _BOTH),
    "size minus": _post(_TE, b"-1\r\na\r\n" + _BOTH),
    "size underscore": _post(_TE, b"0_1\r\na\r\n" + _BOTH),
    "size space": _post(_TE, b"1 \r\na\r\n" + _BOTH),
    "size tab": _post(_TE, b"1\t\r\na\r\n" + _BOTH),
    "size empty": _post(_TE, b"\r\na\r\n" + _BOTH),
    "size overflow": _post(_TE, b"10000000000000001\r\na\r\n" + _BOTH),
    "size bare LF": _post(_TE, b"1\na\r\n" + _BOTH),
    "size bare CR": _post(_TE, b"1\ra\r\n" + _BOTH),
    "size CR CR LF": _post(_TE, b"1\r\r\na\r\n" + _BOTH),
    "data bare LF": _post(_TE, b"1\r\na\n" + _BOTH),
    "data bare CR": _post(_TE, b"1\r\na\r" + _BOTH),
    "data without an end": _post(_TE, b"1\r\na" + _BOTH),
    "data with two other bytes": _post(_TE, b"1\r\naXX" + _BOTH),  # TE.TE, 2025
    "extension": _post(_TE, b"1;a=b\r\na\r\n" + _BOTH),
    "extension with a quoted CRLF": _post(_TE, b'1;a="\r\nb"\r\na\r\n' + _BOTH),
    "extension, bare LF": _post(_TE, b"1;\na\r\n" + _BOTH),  # Kestrel, CVE-2025-55315
    "extension, bare CR": _post(_TE, b"1;a\rb\r\na\r\n" + _BOTH),
    "extension, LF in a second line": _post(_TE, b"2;\nxx\r\n%x\r\n0\r\n\r\n" % 45 + HIDDEN),
    "extension with NUL": _post(_TE, b"1;\0\r\na\r\n" + _BOTH),
    "last chunk extension": _post(_TE, b"0;a=b\r\n\r\n" + HIDDEN),
    "last chunk with two zeros": _post(_TE, b"00\r\n\r\n" + HIDDEN),
    "trailer CL": _post(_TE, b"0\r\nContent-Length: 9\r\n\r\n" + HIDDEN),
    "trailer TE": _post(_TE, b"0\r\nTransfer-Encoding: chunked\r\n\r\n" + HIDDEN),
    "trailer Host": _post(_TE, b"0\r\nHost: evil\r\n\r\n" + HIDDEN),
    "trailer X-User-Id": _post(_TE, b"0\r\nX-User-Id: 1\r\n\r\n" + HIDDEN),
    "trailer bare LF": _post(_TE, b"0\r\nX: y\n\n" + HIDDEN),
    "trailer folded": _post(_TE, b"0\r\nX: y\r\n z\r\n\r\n" + HIDDEN),
    "trailer without a colon": _post(_TE, b"0\r\nGET /public/hiddenNNN HTTP/1.1\r\n\r\n"),
    "Expect, 0.CL": _length(HIDDEN, b"Expect: 100-continue\r\n"),
    "Expect, mixed case": _length(HIDDEN, b"Expect: 100-Continue\r\n"),
    "Expect, obfuscated": _length(HIDDEN, b"Expect: y 100-continue\r\n"),
    "Expect of GET": _get(_CASE, b"Expect: 100-continue\r\nContent-Length: 9\r\n") + HIDDEN,
    "Expect without a body": _get(_CASE, b"Expect: 100-continue\r\n"),
    "Expect twice": _length(HIDDEN, b"Expect: 100-continue\r\nExpect: 100-continue\r\n"),
    "h2c": _length(
        HIDDEN,
        b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
        b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n",
    ),
    "h2c without Connection": _get(_CASE, b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"),
    "h2c, Connection twice": _get(
        _CASE, b"Connection: keep-alive\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"
    )
    + HIDDEN,
    "TLS upgrade": _get(_CASE, b"Connection: Upgrade\r\nUpgrade: TLS/1.2\r\n") + HIDDEN,
    "WebSocket with a body": _length(
        HIDDEN,
        b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        b"Sec-WebSocket-Version: 13\r\n",
    ),
    "WebSocket, a bad version": _get(
        _CASE, b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 1337\r\n"
    )
    + HIDDEN,
}

LINES: dict[str, bytes] = {
    "target with LF": _get(b"/public/caseNNN\nX: a"),
    "target with CR": _get(b"/public/caseNNN\rX: a"),
    "target with a space": _get(b"/public/caseNNN /public/hiddenNNN"),
    "target with a tab": _get(b"/public/caseNNN\tHIDDEN"),
    "target with NUL": _get(b"/public/caseNNN\0/public/hiddenNNN"),
    "target with DEL": _get(b"/public/caseNNN\x7f"),
    "target with 0x80": _get(b"/public/caseNNN\x80"),
    "target with UTF-8": _get(b"/public/caseNNN\xc3\xa9"),
    "query with LF": _get(b"/public/caseNNN?a\nb"),
    "query with a space": _get(b"/public/caseNNN?a HTTP/1.1\r\nX: b"),
    "query with 0x80": _get(b"/public/caseNNN?\x80"),
    "fragment": _get(b"/public/caseNNN#/../public/hiddenNNN"),  # Envoy, CVE-2021-32779
    "version in the target": _get(b"/public/caseNNN HTTP/1.1 /public/hiddenNNN"),
    "no version": b"GET /public/caseNNN\r\n\r\n",
    "HTTP/0.9 after": b"GET /public/caseNNN HTTP/0.9\r\nHost: x\r\n\r\n",
    "HTTP/2.0": b"GET /public/caseNNN HTTP/2.0\r\nHost: x\r\n\r\n",
    "HTTP/1.2": b"GET /public/caseNNN HTTP/1.2\r\nHost: x\r\n\r\n",
    "HTTP/1.10": b"GET /public/caseNNN HTTP/1.10\r\nHost: x\r\n\r\n",
    "http/1.1": b"GET /public/caseNNN http/1.1\r\nHost: x\r\n\r\n",
    "two spaces": b"GET  /public/caseNNN  HTTP/1.1\r\nHost: x\r\n\r\n",
    "tab for a space": b"GET\t/public/caseNNN\tHTTP/1.1\r\nHost: x\r\n\r\n",
    "space at the end": b"GET /public/caseNNN HTTP/1.1 \r\nHost: x\r\n\r\n",
    "space at the beginning": b" GET /public/caseNNN HTTP/1.1\r\nHost: x\r\n\r\n",
    "bare LF": b"GET /public/caseNNN HTTP/1.1\nHost: x\n\n",
    "lower case method": b"get /public/caseNNN HTTP/1.1\r\nHost: x\r\n\r\n",
    "unknown method": b"HACK /public/caseNNN HTTP/1.1\r\nHost: x\r\n\r\n",
    "TRACE": b"TRACE /public/caseNNN HTTP/1.1\r\nHost: x\r\nX-Secret: a\r\n\r\n",
    "CONNECT": b"CONNECT 127.0.0.1:80 HTTP/1.1\r\nHost: x\r\n\r\n",
    "CONNECT with a path": b"CONNECT /public/caseNNN HTTP/1.1\r\nHost: x\r\n\r\n",
    "method override": _post(b"X-HTTP-Method-Override: DELETE\r\nContent-Length: 0\r\n"),
    "authority with a path": _get(b"http://x/public/hiddenNNN/../caseNNN"),
    "absolute form": _get(b"http://evil/public/caseNNN"),
    "absolute form with userinfo": _get(b"http://x@evil/public/caseNNN"),
    "absolute form of another scheme": _get(b"ftp://x/public/caseNNN"),
    "absolute form without a host": _get(b"http:///public/caseNNN"),
    "absolute form, a backslash": _get(b"http://x\\@evil/public/caseNNN"),
    "two slashes": _get(b"//public/caseNNN"),
    "no slash": _get(b"x.example"),
    "asterisk": _get(b"*"),
    "no Host": b"GET /public/caseNNN HTTP/1.1\r\n\r\n",
    "two Hosts": b"GET /public/caseNNN HTTP/1.1\r\nHost: x\r\nHost: evil\r\n\r\n",
    "Host list": b"GET /public/caseNNN HTTP/1.1\r\nHost: x, evil\r\n\r\n",
    "Host with a path": b"GET /public/caseNNN HTTP/1.1\r\nHost: x/public/hiddenNNN\r\n\r\n",
    "Host with a space": b"GET /public/caseNNN HTTP/1.1\r\nHost: x evil\r\n\r\n",
    "Host with @": b"GET /public/caseNNN HTTP/1.1\r\nHost: x@evil\r\n\r\n",
    "Host with #": b"GET /public/caseNNN HTTP/1.1\r\nHost: x#evil\r\n\r\n",
    "Host folded": b"GET /public/caseNNN HTTP/1.1\r\nHost:\r\n evil\r\n\r\n",
    "Host with a space before the colon": b"GET /public/caseNNN HTTP/1.1\r\nHost : evil\r\n\r\n",
    "Host named by Connection": _get(_CASE, b"Connection: host\r\n"),
    "Host with an underscore field": _get(_CASE, b"X_Forwarded_Host: evil\r\n"),
    "rewritten": _get(
        _CASE,
        b"X-Original-URL: /public/hiddenNNN\r\nX-Rewrite-URL: /public/hiddenNNN\r\n",
    ),
    "Via loop forged": _get(_CASE, b"Via: 1.1 lockgate\r\n"),
    "empty line before": b"\r\n\r\n" + _get(_CASE),
    "NUL before": b"\0" + _get(_CASE),
    "PROXY protocol": b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n" + _get(_CASE),
    "value with NUL": _get(_CASE, b"X: a\0b\r\n"),
    "value with a bare CR": _get(_CASE, b"X: a\rX-User-Id: 1\r\n"),
    "value with a bare LF": _get(_CASE, b"X: a\nX-User-Id: 1\r\n"),
    "value with UTF-8 that ends in LF": _get(_CASE, "X: \u010d\u010aX-User-Id: 1\r\n".encode()),
    "value with an escaped CRLF": _get(
        b"/public/caseNNN?a=%0d%0aX-User-Id:%201", b"X: %0d%0aA: b\r\n"
    ),
    "value with obs-text": _get(_CASE, b"X: \x80\xff\r\n"),
    "a field without a colon": _get(_CASE, b"X-User-Id\r\n"),
    "a field of 60,000 bytes": _get(_CASE, b"X: %b\r\n" % (b"a" * 60_000)),
    "129 fields": _get(_CASE, b"X: a\r\n" * 129),
}

PATHS: tuple[bytes, ...] = (
    b"../hiddenNNN", b"./a", b"a/../../hiddenNNN", b"%2e%2e/hiddenNNN", b"%2e%2e%2fhiddenNNN",
    b"..%2fhiddenNNN", b"..%5chiddenNNN", b"..\\hiddenNNN", b"%252e%252e/hiddenNNN",
    b"%252e%252e%252fhiddenNNN", b"..;/hiddenNNN", b"..;a=b/hiddenNNN", b";/hiddenNNN",
    b"a;/../hiddenNNN", b"%2e%2e;/hiddenNNN", b"..%3b/hiddenNNN", b"..%00/hiddenNNN", b"a%00",
    b"a%0d%0aX-User-Id:%201", b"a%0a", b"a%09", b"a%7f", b"//hiddenNNN", b"a//hiddenNNN",
    b"%2fhiddenNNN", b"%5chiddenNNN", b"%c0%ae%c0%ae/hiddenNNN", b"%c0%af..%c0%afhiddenNNN",
    b"%e0%80%ae%e0%80%ae/hiddenNNN", b"%u002e%u002e/hiddenNNN", b"%uff0e%uff0e/hiddenNNN",
    b"%%32%65", b"%2", b"%", b"%zz", b"%61dmin", b"%25%32%65", b"...//hiddenNNN", b".../hiddenNNN",
    b"..%20/hiddenNNN", b"..%09/hiddenNNN", b".%2e/hiddenNNN", b"%2e./hiddenNNN", b"a/.", b"a/..",
    b"a/%2e", b"a/%2e%2e", b"a/..%2f", b"a%2f..", b"%ed%a0%80", b"%ff", b"%f5%80%80%80",
    b"%e2%80%a8", b"%c2%85", b"..%ef%bc%8fhiddenNNN", b"%ef%bc%8e%ef%bc%8e/hiddenNNN",
)  # fmt: skip
"""Below the path of a case. The last two are fullwidth: another name, unless it is normalized."""

FORWARDED = frozenset(
    {
        "CL.0", "0.CL of GET", "TE.0", "TE.0 of OPTIONS", "CL.0 of DELETE", "CL.0 of HEAD",
        "CL with a leading zero", "TE with an underscore", "TE with a dot",
        "CL with an underscore", "TE of HTTP/1.0", "TE alone named by Connection",
        "size with a leading zero", "extension", "last chunk extension",
        "last chunk with two zeros", "trailer Host", "trailer X-User-Id", "Expect, 0.CL",
        "Expect, mixed case", "Expect of GET", "Expect without a body", "Expect twice", "h2c",
        "h2c without Connection", "h2c, Connection twice", "TLS upgrade", "WebSocket with a body",
        "query with a space", "two spaces", "method override",
        "absolute form", "Host with an underscore field", "rewritten", "Via loop forged",
        "empty line before", "value with UTF-8 that ends in LF", "value with an escaped CRLF",
        "value with obs-text", "a field of 60,000 bytes", "..%ef%bc%8fhiddenNNN",
        "%ef%bc%8e%ef%bc%8e/hiddenNNN",
    }
)  # fmt: skip
"""The attacks that are harmless in the form in which the gateway sends them on."""


def build_attacks() -> dict[str, bytes]:
    """Build all attacks, each with a number of its own, in the order of the numbers."""
    cases = FRAMING | LINES
    for path in PATHS:
        cases[path.decode()] = _get(b"/public/caseNNN/" + path)
    return {
        name: data.replace(b"NNN", b"%03d" % number)
        for number, (name, data) in enumerate(cases.items())
    }
