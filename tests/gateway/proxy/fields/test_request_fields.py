"""What of a request goes on to the service, and what the gateway adds."""

import re
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.exceptions import HTTPException

from gateway.http1_grammar import Fields
from gateway.proxy import Proxy
from gateway.proxy.fields.request_fields import RequestFields
from gateway.proxy.fields.via import PSEUDONYM
from gateway.settings.schema import Server, Service
from gateway.upstream.propagation import propagate_headers
from tests.gateway.proxy.routed import build_scope

HOST = (b"host", b"api.example.com")
TRACE = {
    "x-request-id": "1" * 32,
    "traceparent": f"00-{'1' * 32}-{'2' * 16}-00",
    "tracestate": "a=b",
}


def build(
    *received: tuple[bytes, bytes],
    method: str = "GET",
    identity: Fields = (),
    http_version: str = "1.1",
    service: dict[str, Any] | None = None,
    server: dict[str, Any] | None = None,
    **options: Any,
) -> list[tuple[bytes, bytes]]:
    proxy = Proxy("/items/{path:path}", to="items", public="a test", **options)
    fields = received if any(name == b"host" for name, _ in received) else (HOST, *received)
    scope = build_scope(proxy, b"/items/1", fields=fields, method=method)
    assert scope is not None
    scope["http_version"] = http_version
    url = "http://items.internal:9105/v1"
    built = RequestFields(
        proxy,
        Service.model_validate({"url": url, **(service or {})}),
        Server.model_validate(server or {}),
    )
    with propagate_headers(TRACE):
        first = built.build(scope, list(identity))
        assert built.build(scope, list(identity)) == first  # with the rules that it has cached
    return first


def own_fields() -> dict[bytes, bytes]:
    return {
        b"host": b"items.internal:9105",
        b"x-forwarded-for": b"192.0.2.7",
        b"x-forwarded-proto": b"http",
        b"x-forwarded-host": b"api.example.com",
        b"x-forwarded-port": b"80",
        b"via": b"1.1 " + PSEUDONYM,
        **{name.encode(): value.encode() for name, value in TRACE.items()},
    }


def keep(*received: tuple[bytes, bytes], **options: Any) -> list[tuple[bytes, bytes]]:
    """Return what is left of the fields of the caller."""
    built = build(*received, **options)
    assert built[-len(own_fields()) :] == [*own_fields().items()]
    return built[: -len(own_fields())]


def refuse(*received: tuple[bytes, bytes], **options: Any) -> HTTPException:
    with pytest.raises(HTTPException) as refusal:
        build(*received, **options)
    return refusal.value


END_TO_END = (
    b"accept", b"accept-encoding", b"accept-language", b"cache-control", b"content-encoding",
    b"content-language", b"content-type", b"content-disposition", b"content-md5", b"date", b"dnt",
    b"from", b"if-match", b"if-modified-since", b"if-none-match", b"if-range",
    b"if-unmodified-since", b"last-event-id", b"origin", b"pragma", b"prefer", b"priority",
    b"range", b"referer", b"sec-fetch-mode", b"sec-ch-ua", b"sec-websocket-key",
    b"sec-websocket-version", b"sec-websocket-protocol", b"sec-websocket-extensions", b"soapaction",
    b"tus-resumable", b"upgrade-insecure-requests", b"user-agent", b"depth",
    b"x-api-key", b"x-csrf-token", b"x-requested-with", b"x-correlation-id", b"idempotency-key",
    b"baggage", b"b3", b"x-b3-traceid", b"x-amz-date", b"x-hub-signature-256", b"content-digest",
    b"signature-input", b"if-schedule-tag-match", b"x--a", b"a1",
)  # fmt: skip


@pytest.mark.parametrize("name", END_TO_END)
def test_an_end_to_end_field_goes_on(name: bytes) -> None:
    assert keep((name, b"a\xe9 b\t;c")) == [(name, b"a\xe9 b\t;c")]


def test_the_order_and_the_lines_of_a_list_are_kept() -> None:
    received = [(b"accept", b"a"), (b"x-a", b"1"), (b"accept", b"b"), (b"x-a", b"2")]
    assert keep(*received) == received


@pytest.mark.parametrize(
    "name",
    [
        b"connection", b"content-length", b"expect", b"http2-settings", b"keep-alive",
        b"proxy-authorization", b"proxy-authenticate", b"proxy-connection", b"te", b"trailer",
        b"transfer-encoding", b"upgrade", b"proxy", b"authorization", b"cookie", b"cookie2",
        b"destination", b"x-http-method-override", b"x-http-method", b"x-method-override",
        b"x-original-url",
        b"x-rewrite-url", b"x-original-uri", b"x-original-method", b"x-middleware-subrequest",
        b"x-forwarded-prefix", b"x-forwarded-server", b"x-forwarded-uri", b"x-forwarded-method",
        b"x-forwarded-scheme", b"x-forwarded-ssl", b"x-forwarded-client-cert", b"x-real-ip",
        b"true-client-ip", b"cf-connecting-ip", b"x-client-ip", b"x-cluster-client-ip",
        b"fastly-client-ip", b"x-envoy-external-address", b"x-envoy-original-path", b"x-scheme",
        b"front-end-https", b"x-request-id", b"traceparent", b"tracestate", b"x-accel-redirect",
        b"x_forwarded_for", b"x.forwarded.for", b"content_length", b"transfer_encoding", b"a_b",
        b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-forwarded-port",
        b"forwarded",
    ],
)  # fmt: skip
def test_a_field_that_the_caller_must_not_send_is_removed(name: bytes) -> None:
    assert keep((name, b"1")) == []


def test_the_gateway_says_who_the_client_is_once() -> None:
    forged = [(name, b"forged") for name in own_fields() if name not in {b"host", b"via"}]
    assert keep(*forged) == []


def test_credentials_go_on_if_the_route_says_so() -> None:
    token, cookie = (b"authorization", b"Bearer x"), (b"cookie", b"a=1")
    assert keep(token, cookie) == []
    assert keep(token, cookie, forward_token=True) == [token]
    assert keep(cookie, token, cookie, forward_cookies=True) == [cookie, cookie]
    assert refuse(token, token, forward_token=True).status_code == 400
    proof = (b"dpop", b"x")
    assert keep(token, proof) == []
    assert keep(token, proof, forward_token=True) == [token, proof]
    assert refuse(token, proof, proof, forward_token=True).status_code == 400


@pytest.mark.parametrize(
    "value",
    [b"x-hop", b"close, x-hop", b"X-HOP", b" ,\t x-hop\t,,", b"keep-alive,x-other,x-hop"],
)
def test_a_field_that_connection_names_is_removed(value: bytes) -> None:
    received = [(b"x-hop", b"1"), (b"connection", value), (b"x-end", b"2"), (b"x-hop", b"3")]
    assert keep(*received) == [(b"x-end", b"2")]
    split = [(b"connection", b""), *received]  # Go's CVE-2021-33197: the first one was empty
    assert keep(*split) == [(b"x-end", b"2")]


@pytest.mark.parametrize(
    "name",
    [
        b"authorization", b"cookie", b"host", b"content-length", b"content-type", b"accept",
        b"x-user-id", b"x-forwarded-for", b"x-forwarded-host", b"forwarded", b"x-real-ip",
        b"cf-connecting-ip", b"cache-control", b"if-match", b"range", b"origin", b"via",
        b"x-auth-request-user", b"remote-user",
    ],
)  # fmt: skip
@pytest.mark.parametrize("form", [b"%b", b"close, %b", b"\t%b ,upgrade"])
def test_connection_cannot_name_a_field_that_is_for_the_service(name: bytes, form: bytes) -> None:
    for value in (form % name, form % name.upper()):
        assert refuse((b"connection", value), (name, b"1")).status_code == 400
        refusal = refuse((b"connection", value))
        detail = f"Connection names {name.decode()}, a field that is for the service too."
        assert (refusal.status_code, refusal.detail) == (400, detail)


@pytest.mark.parametrize("name", [b"x-request-id", b"traceparent", b"x-hop", b"te", b"upgrade"])
def test_connection_does_not_remove_what_the_gateway_adds(name: bytes) -> None:
    assert keep((b"connection", name), (name, b"1")) == []


def test_a_route_removes_further_fields() -> None:
    kept = keep((b"x-company-role", b"a"), (b"x-company", b"b"), remove_headers=["X-Company-Role"])
    assert kept == [(b"x-company", b"b")]


@pytest.mark.parametrize(
    "name", [b"content-type", b"range", b"origin", b"if-range", b"sec-websocket-key"]
)
def test_a_field_with_one_value_is_refused_if_it_is_sent_twice(name: bytes) -> None:
    refusal = refuse((name, b"a"), (b"accept", b"x"), (name, b"a"))
    detail = f"The header field {name.decode()} has one value, and is sent twice."
    assert (refusal.status_code, refusal.detail) == (400, detail)


def test_the_identity_comes_last_but_for_the_fixed_fields() -> None:
    identity = [(b"authorization", b"Bearer internal"), (b"x-user-id", b"7")]
    assert build((b"x-user-id", b"1"), identity=identity)[-2:] == identity
    fixed = {"headers": {"Authorization": "Basic x", "X-Tenant": "t", "Via": "fixed"}}
    built = build((b"x-tenant", b"u"), identity=identity, service=fixed)
    names = [name for name, _ in built]
    assert len(set(names)) == len(names)
    assert dict(built) == {
        **own_fields(),
        b"x-user-id": b"7",
        b"authorization": b"Basic x",
        b"x-tenant": b"t",
        b"via": b"fixed",
    }


@pytest.mark.parametrize(
    ("received", "sent"),
    [
        (b"api.example.com", b"api.example.com"),
        (b"API.example.com:8443", b"API.example.com:8443"),
        (b"[2001:db8::1]:80", b"[2001:db8::1]:80"),
        (b"", b"items.internal:9105"),
    ],
)
def test_a_route_can_preserve_the_host(received: bytes, sent: bytes) -> None:
    assert dict(build((b"host", received), preserve_host=True))[b"host"] == sent
    assert dict(build((b"host", received)))[b"host"] == b"items.internal:9105"


@pytest.mark.parametrize("host", [b"a,b", b"a;b", b"a%00", b"a@b", b"a'b", b"(a)", b"a:b:1"])
def test_a_host_that_has_two_readings_is_not_preserved(host: bytes) -> None:
    assert refuse((b"host", host), preserve_host=True).status_code == 400
    assert b"x-forwarded-host" not in dict(build((b"host", host)))


def test_the_hops_before_are_kept_in_via() -> None:
    received = [(b"via", b"1.0 fred"), (b"via", b"1.1 proxy.example.com (x)")]
    assert dict(build(*received))[b"via"] == (
        b"1.0 fred, 1.1 proxy.example.com (x), 1.1 " + PSEUDONYM
    )
    assert dict(build(http_version="1.0"))[b"via"] == b"1.0 " + PSEUDONYM


def test_a_request_that_comes_back_is_a_loop() -> None:
    assert refuse((b"via", b"1.1 a, 1.1 " + PSEUDONYM + b", 1.1 b")).status_code == 508


@pytest.mark.parametrize(("received", "sent"), [(b"1", b"0"), (b"10", b"9"), (b"007", b"6")])
def test_max_forwards_of_options_is_decremented(received: bytes, sent: bytes) -> None:
    assert keep((b"max-forwards", received), method="OPTIONS") == [(b"max-forwards", sent)]
    assert keep((b"max-forwards", received)) == [(b"max-forwards", received)]


@pytest.mark.parametrize("value", [b"", b"-1", b"x", b"1, 2", b"9" * 19])
def test_an_invalid_max_forwards_is_removed(value: bytes) -> None:
    assert keep((b"max-forwards", value), method="OPTIONS") == []


def test_options_with_no_hop_left_goes_no_further() -> None:
    answer = refuse((b"max-forwards", b"0"), method="OPTIONS", methods=["GET", "OPTIONS"])
    assert answer.status_code == 204
    assert answer.headers == {"Allow": "GET, OPTIONS, HEAD"}


@pytest.mark.parametrize(
    "name",
    [
        b"x-user-id", b"x_user_id", b"authorization", b"cookie", b"content-length", b"host",
        b"transfer-encoding", b"content-type", b"content-encoding", b"if-match", b"via",
        b"x-forwarded-for", b"x-request-id", b"traceparent", b"x-tenant", b"max-forwards",
        b"connection", b"te", b"expect", b"range", b"cache-control", b"origin",
    ],
)  # fmt: skip
def test_a_trailer_is_no_way_around_these_rules(name: bytes) -> None:
    proxy = Proxy(
        "/i/{path:path}", to="items", public="a test", forward_token=True, forward_cookies=True
    )
    service = {"url": "http://items", "headers": {"X-Tenant": "t"}}
    fields = RequestFields(proxy, Service.model_validate(service), Server())
    checksum = (b"x-amz-checksum-crc32", b"a")
    with propagate_headers(TRACE):
        assert fields.select_trailers([(name, b"1"), checksum]) == [checksum]


def test_a_field_that_the_application_propagates_replaces_that_of_the_caller() -> None:
    with propagate_headers({"X-Experiment": "b"}):
        built = build((b"x-experiment", b"a"), (b"x-end", b"1"))
    assert [value for name, value in built if name == b"x-experiment"] == [b"b"]
    assert (b"x-end", b"1") in built


def test_the_fields_that_the_route_sets_replace_those_of_the_caller() -> None:
    fields = {"X-Tenant": "acme", "Accept": "text/html"}
    received = [(b"accept", b"a"), (b"x-tenant", b"forged"), (b"x-a", b"1"), (b"accept", b"b")]
    built = build(*received, set_headers=fields, remove_headers=["x-a"])
    assert built == [*own_fields().items(), (b"x-tenant", b"acme"), (b"accept", b"text/html")]


def test_a_caller_cannot_take_a_field_of_the_route_away() -> None:
    fields = {"X-Team": "a", "X-Tenant": "acme"}
    built = build((b"connection", b"close, x-team"), set_headers=fields)
    assert built[-2:] == [(b"x-team", b"a"), (b"x-tenant", b"acme")]
    assert refuse((b"connection", b"x-tenant"), set_headers=fields).status_code == 400


def test_the_settings_of_the_service_win_over_the_fields_of_the_route() -> None:
    service = {"headers": {"X-A": "settings"}}
    built = build((b"x-a", b"caller"), set_headers={"X-A": "route", "X-B": "1"}, service=service)
    assert [field for field in built if field[0] in {b"x-a", b"x-b"}] == [
        (b"x-a", b"settings"),
        (b"x-b", b"1"),
    ]


def test_a_trailer_does_not_repeat_a_field_of_the_route() -> None:
    proxy = Proxy("/a/{path:path}", to="a", public="a test", set_headers={"X-Team": "a"})
    fields = RequestFields(proxy, Service.model_validate({"url": "http://a"}), Server())
    assert fields.select_trailers([(b"x-team", b"b"), (b"x-c", b"1")]) == [(b"x-c", b"1")]


def test_no_trailer_changes_which_field_has_the_client_address() -> None:
    proxy = Proxy("/a/{path:path}", to="a", public="a test")
    server = {"trusted_proxies": ["192.0.2.0/24"], "client_address_header": "x-real-ip"}
    fields = RequestFields(
        proxy, Service.model_validate({"url": "http://a"}), Server.model_validate(server)
    )
    scope = build_scope(proxy, b"/a/1", fields=[HOST, (b"x-real-ip", b"203.0.113.9")])
    assert scope is not None
    for _ in range(2):
        assert dict(fields.build(scope))[b"x-forwarded-for"] == b"203.0.113.9"
        assert fields.select_trailers([(b"x-real-ip", b"1"), (b"x-a", b"1")]) == [(b"x-a", b"1")]


def test_many_names_do_not_fill_the_cache() -> None:
    proxy = Proxy("/items/{path:path}", to="items", public="a test")
    built = RequestFields(proxy, Service.model_validate({"url": "http://items"}), Server())
    for start in range(0, 3_000, 100):
        names = [(b"x-%d" % number, b"1") for number in range(start, start + 100)]
        scope = build_scope(proxy, b"/items/1", fields=[HOST, *names, (b"x_user_id", b"1")])
        assert scope is not None
        fields = built.build(scope)
        assert fields[:100] == names
        assert b"x_user_id" not in dict(fields)
        assert names[-1][0] in built._rules  # in spite of all those before
    assert len(built._rules) <= 1_024


NAMES = (
    b"accept", b"x-a", b"x_a", b"x-user-id", b"x-userid", b"x_user_id", b"x.user.id", b"host",
    b"authorization", b"cookie", b"connection", b"te", b"via", b"forwarded", b"x-forwarded-for",
    b"x-forwarded-host", b"x-forwarded-port", b"x-request-id", b"traceparent", b"content-type",
    b"content-length", b"transfer-encoding", b"max-forwards", b"proxy", b"x-real-ip", b"range",
)  # fmt: skip
VALUES = st.sampled_from([*NAMES, b"", b"a", b"close, x-a", b"\xff", b"a b", b"0", b"127.0.0.1"])


@given(
    received=st.lists(st.tuples(st.sampled_from(NAMES), VALUES), max_size=8),
    method=st.sampled_from(["GET", "OPTIONS"]),
    forward=st.booleans(),
)
@settings(max_examples=300)
def test_no_request_changes_what_the_gateway_says(
    received: list[tuple[bytes, bytes]], method: str, forward: bool
) -> None:
    identity = [(b"x-user-id", b"7")]
    options: dict[str, Any] = {
        "forward_token": forward,
        "forward_cookies": forward,
        "method": method,
    }
    try:
        built = build(*received, identity=identity, **options)
    except HTTPException as refusal:
        if refusal.status_code not in {204, 400}:
            raise
        return
    names = [name for name, _ in built]
    for name in [*own_fields(), b"x-user-id"]:
        assert names.count(name) <= 1
    fields = dict(built)
    assert fields[b"x-user-id"] == b"7"
    assert fields[b"x-forwarded-for"] == b"192.0.2.7"
    assert fields[b"host"] == b"items.internal:9105"
    assert fields[b"x-request-id"] == TRACE["x-request-id"].encode()
    others = [field for field in built if field[0] not in {*own_fields(), b"x-user-id"}]
    assert all(re.fullmatch(rb"[a-z0-9-]+", name) for name, _ in others)
    assert not {b"connection", b"te", b"content-length", b"transfer-encoding", b"proxy"} & {*names}
    if not forward:
        assert not {b"authorization", b"cookie"} & {*names}
    unchanged = [field for field in others if field[0] != b"max-forwards"]
    assert not Counter(unchanged) - Counter(received)
