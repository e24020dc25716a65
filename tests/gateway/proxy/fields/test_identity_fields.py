"""The identity that a service gets; and no other, whatever the caller sends."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from starlette.requests import Request

from gateway.auth.dependencies import set_principal
from gateway.auth.principal import Principal
from gateway.proxy import Proxy
from gateway.proxy.fields.identity_fields import IdentityFields
from gateway.resources import Resources
from tests.gateway.proxy.identity_spellings import MALLORY, SPELLINGS
from tests.gateway.proxy.recorded_proxy import (
    RecordedProxy,
    list_statuses,
    make_caller_token,
    send_all,
    serve_recorded,
)
from tests.gateway.proxy.seen_identity import check_identity

HEADERS = Proxy("/i/{path:path}", to="items", requires=["a:read", "b:read"], identity="headers")


def build(principal: Principal | None, proxy: Proxy = HEADERS) -> dict[bytes, bytes]:
    request = Request({"type": "http", "headers": []})
    if principal is not None:
        set_principal(request, principal)
    return dict(IdentityFields(proxy, Resources()).build(request))


def make_principal(**changes: object) -> Principal:
    values: dict[str, object] = {
        "issuer": "https://id.example.com/realms/a",
        "subject": "s",
        "scopes": frozenset({"a:read", "b:read:any", "b:write"}),
        "user_id": "auth0|42",
        "service": "billing",
        "tenant": "acme",
        "expires_at": 0.0,
    }
    return Principal(**{**values, **changes})  # type: ignore[arg-type]


def test_the_fields_say_who_the_caller_is() -> None:
    assert build(make_principal()) == {
        b"x-user-id": b"auth0|42",
        b"x-user-issuer": b"https://id.example.com/realms/a",
        b"x-user-scopes": b"a:read b:read:any",
        b"x-user-tenant": b"acme",
        b"x-user-service": b"billing",
    }


def test_a_claim_that_the_token_does_not_have_has_no_field() -> None:
    service = make_principal(user_id=None, tenant=None, scopes=frozenset())
    assert build(service) == {
        b"x-user-issuer": b"https://id.example.com/realms/a",
        b"x-user-service": b"billing",
    }


def test_a_service_that_another_issuer_names_has_no_field() -> None:
    exchanged = make_principal(token_issuer="https://gateway.example.com")
    assert b"x-user-service" not in build(exchanged)
    assert build(exchanged)[b"x-user-issuer"] == b"https://id.example.com/realms/a"


def test_a_caller_without_a_token_and_a_route_without_identity_have_no_fields() -> None:
    assert build(None) == {}
    none = Proxy("/i/{path:path}", to="items", requires=(), identity="none")
    assert build(make_principal(), none) == {}


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        ("a b", b"a%20b"),
        (" a", b"%20a"),
        ("a,b", b"a%2Cb"),
        ("a;b", b"a%3Bb"),
        ("a\r\nX-User-Id: 1", b"a%0D%0AX-User-Id:%201"),
        ("a\0", b"a%00"),
        ('a"b\\c', b"a%22b%5Cc"),
        ("100%", b"100%25"),
        ("%41", b"%2541"),
        ("zoë", b"zo%C3%AB"),
        ("\u2028", b"%E2%80%A8"),
        ("\ud800", b"%ED%A0%80"),
        ("<a>{b}", b"%3Ca%3E%7Bb%7D"),
        ("a@b.example", b"a@b.example"),
        ("google-oauth2|1", b"google-oauth2|1"),
    ],
)
def test_a_value_that_could_split_a_field_is_encoded(value: str, encoded: bytes) -> None:
    found = build(make_principal(user_id=value, tenant=value, issuer=value))
    assert {found[b"x-user-id"], found[b"x-user-tenant"], found[b"x-user-issuer"]} == {encoded}


@pytest.fixture
async def proxy(tmp_path: Path) -> AsyncIterator[RecordedProxy]:
    async with serve_recorded(tmp_path) as served:
        yield served


REFUSED = 400


async def test_no_identity_of_the_caller_arrives(proxy: RecordedProxy) -> None:
    token = make_caller_token()
    outcomes: dict[str, set[int]] = {}
    for route in (b"public", b"headers", b"token"):
        authorization = b"" if route == b"public" else b"Authorization: Bearer %b\r\n" % token
        requests = [
            b"POST /%b/%d HTTP/1.1\r\nHost: x\r\n%b%b\r\n\r\n"
            % (route, number, authorization, lines)
            for number, lines in enumerate(SPELLINGS.values())
        ]
        answers = await send_all(proxy.port, requests)
        for name, answer in zip(SPELLINGS, answers, strict=True):
            outcomes.setdefault(name, set()).add(list_statuses(answer)[0])
        for received in proxy.recording.read():
            check_identity(received, is_known=route == b"headers")
            assert len(received.get_all(b"authorization")) == (route == b"token")
        leaks = [data for data in proxy.recording.connections if MALLORY in data or token in data]
        assert leaks == []
        proxy.recording.clear()
    assert {name for name, statuses in outcomes.items() if statuses - {200, REFUSED}} == set()
    assert all(len(statuses) == 1 for statuses in outcomes.values()), outcomes
    assert all(outcomes[name] == {200} for name in ("X-User-Id", "x_user_id", "twice")), outcomes
