"""A `Proxy` refuses what it cannot be, with every mistake in one error."""

from dataclasses import replace
from typing import Any

import pytest

from gateway.proxy import Proxy
from gateway.proxy.declaration.methods import PROXIED_METHODS
from gateway.ratelimit.policy import RateLimit

USERS = RateLimit("users", "10/minute")
ADDRESSES = RateLimit("addresses", "10/minute", per="address")

VALID: dict[str, Any] = {"path": "/inventory/{path:path}", "to": "inventory", "requires": "a:read"}


def declare(**changes: Any) -> Proxy:
    """Declare a route with other values than the valid ones; None removes an optional one."""
    values = {**VALID, **changes}
    return Proxy(values.pop("path"), **values)


@pytest.mark.parametrize(
    "changes",
    [
        {"requires": ()},
        {"requires": ["a:read", "b:read"]},
        {"requires": None, "public": "the login page", "limit": ADDRESSES},
        {"requires": None, "public": "the login page", "forward_token": True},
        {"path": "/users/{user_id}/{path:path}", "owner": "user_id", "limit": [USERS, ADDRESSES]},
        {"path": "/orders/{order}", "target": "/v2/{order}/details"},
        {"path": "/graphql", "target": "/"},
        {"path": "/files/{name}.json"},
        {"path": "/a:b/*c/{name}"},
        {"path": "/{path:path}"},
        {"methods": ["GET", "POST"], "websocket": True, "tickets": True, "outlive_token": True},
        {"timeout": 1, "idle_timeout": 0.5, "total_timeout": 1, "max_body_bytes": 0},
        {"identity": "headers", "forward_token": True, "forward_cookies": True},
        {"dpop": True, "websocket": True},
        {"encoded_slashes": True, "path_parameters": True, "preserve_host": True},
        {"remove_headers": ["x-company-role", "X-Company-Team", "authorization"]},
        {"set_headers": {"X-Tenant": "acme", "X-Forwarded-Prefix": "/a", "Accept": "a, b;q=0.1"}},
        {"set_response_headers": {"X-Frame-Options": "DENY", "Cache-Control": "private"}},
        {"set_response_headers": {"Cache-Control": "no-store", "Strict-Transport-Security": "a"}},
        {
            "requires": None,
            "public": "a page",
            "set_response_headers": {"Cache-Control": "max-age=9", "CDN-Cache-Control": "a"},
        },
        {"remove_response_headers": ["Server", "x_total", "X-Backend", "ETag"]},
    ],
)
def test_a_valid_declaration(changes: dict[str, Any]) -> None:
    assert declare(**changes).to == "inventory"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"requires": None}, "it declares no access: give requires="),
        ({"public": "open"}, "requires and public are both given"),
        ({"requires": None, "public": " "}, "public is empty; give the reason"),
        ({"requires": "a b"}, "requires has 'a b', which is not a scope"),
        ({"requires": ""}, "requires has '', which is not a scope"),
        ({"requires": ["a", "a"]}, "requires has a scope twice: a, a"),
        ({"requires": 7}, "requires is 7; it must be a scope or a list of scopes"),
        (
            {"path": "/{user_id}/{path:path}", "owner": "user"},
            "owner is 'user'; the path has no segment {user} (did you mean user_id?)",
        ),
        (
            {"path": "/v/{user_id}{b}", "owner": "user_id"},
            "path has {user_id}{b}; put a character between them, because it is not clear where",
        ),
        ({"path": "/{a}/{path:path}", "target": "/{a}{path}"}, "target has {a}{path}; put a char"),
        ({"path": "/v/{a}{b}/{c}", "target": "/{c}"}, "path has {a}{b}; put a character between"),
        ({"owner": "path"}, "the path has no segment {path} (known here: none)"),
        (
            {"path": "/v/{user_id}-{b}", "owner": "user_id"},
            "owner is 'user_id', which must be a whole segment of path, between two slashes",
        ),
        (
            {"path": "/v/{user_id}/{b}", "owner": "user_id", "target": "/{user_id}-{b}"},
            "must be a whole segment of target, between two slashes; target is '/{user_id}-{b}'",
        ),
        (
            {"path": "/{user}", "owner": "user", "requires": None, "public": "x"},
            "owner needs requires",
        ),
        ({"limit": "users"}, "limit is 'users'; it must be a RateLimit or a list of them"),
        ({"limit": [USERS, USERS]}, "limit has a policy twice: users, users"),
        (
            {"requires": None, "public": "x", "limit": USERS},
            "limit has users, which counts per user; a public route has no caller, so use a",
        ),
        ({"methods": "GET"}, "methods is 'GET'; it must be a list of methods, as"),
        ({"methods": []}, "methods is []; it must be a list of methods, as"),
        ({"methods": ["CONNECT"]}, "methods has CONNECT, which is never proxied"),
        ({"methods": ["GET", "TRACE"]}, "methods has TRACE, which is never proxied"),
        ({"methods": ["get"]}, "a method that the server parses (did you mean GET?)"),
        ({"methods": ["FROBNICATE"]}, "which is not a method that the server parses (ACL, BIND"),
        ({"methods": ["GET", "GET", "PUT"]}, "methods has a method twice: GET"),
        ({"methods": ["POST"], "websocket": True}, "websocket needs GET among the methods"),
        ({"methods": ["POST"], "tickets": True}, "tickets needs GET among the methods"),
        ({"requires": None, "public": "x", "tickets": True}, "tickets needs requires"),
        ({"requires": None, "public": "x", "outlive_token": True}, "outlive_token needs requires"),
        ({"requires": None, "public": "x", "dpop": True}, "dpop needs requires"),
        ({"tickets": True, "dpop": True}, "tickets and dpop contradict each other"),
        ({"dpop": "yes"}, "dpop is 'yes'; it must be True or False"),
        ({"outlive_token": 3_600}, "outlive_token is 3600; it must be True or False"),
        ({"forward_token": True}, "forward_token and identity='token' both set Authorization"),
        ({"identity": "jwt"}, "identity is 'jwt'; it must be one of 'token', 'headers', 'none'"),
        ({"websocket": "no"}, "websocket is 'no'; it must be True or False"),
        ({"timeout": 0}, "timeout is 0; it must be a number of seconds above 0"),
        ({"timeout": float("inf")}, "timeout is inf; it must be a number of seconds above 0"),
        ({"timeout": float("nan")}, "timeout is nan; it must be a number of seconds above 0"),
        ({"timeout": 10**400}, "above 0, and at most 1000000000"),
        ({"idle_timeout": None}, "idle_timeout is None; it must be a number of seconds above 0"),
        ({"total_timeout": True}, "total_timeout is True; it must be a number of seconds above 0"),
        ({"timeout": 5, "total_timeout": 4}, "total_timeout is 4; it must not be below timeout"),
        ({"max_body_bytes": -1}, "max_body_bytes is -1; it must be a number of bytes, 0 or more"),
        ({"remove_headers": "x-role"}, "remove_headers is 'x-role'; it must be a list of names"),
        ({"remove_headers": ["x_role"]}, "remove_headers has 'x_role'; a name has letters"),
        ({"remove_headers": [""]}, "remove_headers has ''; a name has letters"),
        ({"remove_headers": ["Host"]}, "remove_headers has Host, which the gateway reads"),
        ({"remove_headers": ["x-forwarded-for"]}, "which the gateway reads, and sets itself"),
        ({"remove_headers": ["x-a", "X-A"]}, "remove_headers has a name twice: x-a, X-A"),
        (
            {"remove_headers": ["Authorization"], "forward_token": True, "identity": "none"},
            "remove_headers has authorization, which forward_token sends",
        ),
        ({"set_headers": ["x-a"]}, "set_headers is a list; it must be a dict of texts, as {"),
        ({"set_headers": {"X-A": 1}}, "set_headers has 'X-A' with a value that is not a text"),
        ({"set_headers": {7: "a"}}, "set_headers has the name 7, which is not a text"),
        ({"set_headers": {"X_A": "1"}}, "set_headers has 'X_A'; a name has letters, digits"),
        ({"set_headers": {"X-A": ""}}, "is empty; to remove a field, name it in remove_headers"),
        ({"set_headers": {"X-A": "a\r\nb: c"}}, "'X-A' with a value that has characters that a"),
        ({"set_headers": {"X-A": "\xe9"}}, "use printable ASCII"),
        ({"set_headers": {"X-A": " a"}}, "begins or ends with a space"),
        ({"set_headers": {"X-A": "1", "x-a": "2"}}, "set_headers has a name twice: X-A, x-a"),
        (
            {"set_headers": {"X-A": "1"}, "remove_headers": ["x-a"]},
            "set_headers and remove_headers both have x-a; a field that is set replaces any other",
        ),
        ({"set_headers": {"Host": "a"}}, "which is the host of upstreams.NAME.url"),
        ({"set_headers": {"Authorization": "a"}}, "set it in upstreams.NAME.headers, which keeps"),
        ({"set_headers": {"Cookie": "a"}}, "set_headers has Cookie, which is a credential"),
        ({"set_headers": {"X-User-Id": "7"}}, "set_headers has X-User-Id, which says who the"),
        ({"set_headers": {"X-Request-Id": "7"}}, "which the gateway sets itself"),
        ({"set_headers": {"Via": "7"}}, "set_headers has Via, which the gateway sets itself"),
        ({"set_headers": {"Connection": "x-a"}}, "set_headers has Connection, which is for one"),
        ({"set_headers": {"Transfer-Encoding": "a"}}, "which is for one connection"),
        ({"set_headers": {"Content-Length": "1"}}, "which is for one connection"),
        ({"set_headers": {"Content-Encoding": "gzip"}}, "describes the body, which goes through"),
        ({"set_headers": {"X-Forwarded-For": "a"}}, "depends on the client of each request"),
        ({"set_headers": {"X-Real-IP": "a"}}, "depends on the client of each request"),
        ({"set_headers": {"Sec-WebSocket-Key": "a"}}, "depends on the client of each request"),
        (
            {"set_response_headers": {"a b": "1"}},
            "set_response_headers has 'a b', which is not the name of a header field",
        ),
        ({"set_response_headers": {"X-A": "a\nb"}}, "set_response_headers has 'X-A' with a value"),
        ({"set_response_headers": {"Access-Control-Allow-Origin": "*"}}, "by server.cors_origins"),
        ({"set_response_headers": {"RateLimit-Policy": "1"}}, "which the gateway sets itself"),
        ({"set_response_headers": {"X-Request-ID": "1"}}, "which the gateway sets itself"),
        ({"set_response_headers": {"Set-Cookie": "a=1"}}, "would be the same for all callers"),
        ({"set_response_headers": {"Trailer": "a"}}, "which is for one connection"),
        ({"set_response_headers": {"Sec-WebSocket-Accept": "a"}}, "the handshake of a WebSocket"),
        (
            {"set_response_headers": {"Cache-Control": "public, max-age=9"}},
            "set_response_headers has Cache-Control without private or no-store: a shared cache",
        ),
        ({"set_response_headers": {"X-Accel-Expires": "9"}}, "which is for shared caches"),
        (
            {"remove_response_headers": "etag"},
            "remove_response_headers is 'etag'; it must be a list of names",
        ),
        ({"remove_response_headers": ["é"]}, "which is not the name of a header field"),
        ({"remove_response_headers": ["Content-Length"]}, "which is for one connection"),
        ({"remove_response_headers": ["Content-Encoding"]}, "describes the body"),
        ({"remove_response_headers": ["Via"]}, "which the gateway sets itself"),
        ({"remove_response_headers": ["X-Content-Type-Options"]}, "the gateway adds to a response"),
        ({"remove_response_headers": ["Server-Timing"]}, "the gateway adds to a response"),
        ({"remove_response_headers": ["a", "A"]}, "remove_response_headers has a name twice: a, A"),
        (
            {"remove_response_headers": ["x-a"], "set_response_headers": {"X-A": "1"}},
            "set_response_headers and remove_response_headers both have x-a",
        ),
        ({"to": "Inventory"}, "to is 'Inventory'; it must be the name of a service"),
        ({"to": None}, "to is None; it must be a text"),
        ({"path": "inventory/{path}"}, 'path is \'inventory/{path}\'; it must begin with "/"'),
        ({"path": "/a/*"}, "a parameter is written in braces: did you mean /a/{path:path}?"),
        ({"path": "/a/**"}, "a parameter is written in braces: did you mean /a/{path:path}?"),
        ({"path": "/:a/b"}, "a parameter is written in braces: did you mean /{a}/b?"),
        ({"path": "/:a/*rest"}, "a parameter is written in braces: did you mean /{a}/{path:path}?"),
        ({"path": "/a//{b}"}, "it has an empty segment (//)"),
        ({"path": "/a/../{b}"}, 'it has a segment "." or ".."'),
        ({"path": "/a?b={c}"}, "cannot stand in a path"),
        ({"path": "/a%20b/{c}"}, "write the characters themselves instead of percent-escapes"),
        ({"path": "/{a"}, "write a parameter as {name}"),
        ({"path": "/{a}/{a}"}, "Duplicated param name a"),
        ({"path": "/{a:int}"}, "path has the parameter 'a' with a convertor"),
        (
            {"path": "/{a:nonsense}"},
            "Unknown path convertor 'nonsense'; each parameter has a name of its own, as {name}",
        ),
        ({"path": "/{a:path}/{b:path}"}, "path has a and b with :path; only the last parameter"),
        ({"path": "/{a:path}/b"}, "path has {a:path} inside; it must be the last segment"),
        ({"path": "/inventory"}, 'target is missing: a path without a parameter does not say'),
        ({"target": "{path}"}, 'target is \'{path}\'; it must begin with "/"'),
        ({"target": "/{path:path}"}, "in `path`, the last one may be {name:path}"),
        ({"target": "/a/./{path}"}, 'it has a segment "." or ".."'),
        (
            {"target": "/{paht}"},
            "target has {paht}, which is not a parameter of the path (did you mean path?)",
        ),
    ],
)  # fmt: skip
def test_an_invalid_declaration(changes: dict[str, Any], error: str) -> None:
    with pytest.raises(ValueError, match=r"^Proxy\(") as caught:
        declare(**changes)
    assert error in str(caught.value)


def test_an_error_of_a_value_does_not_quote_the_value() -> None:
    with pytest.raises(ValueError, match="X-Key") as caught:
        declare(set_headers={"X-Key": "secret\n"})
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("option", ["set_headers", "set_response_headers"])
def test_a_value_of_another_type_hides_no_other_error_and_no_value_is_quoted(option: str) -> None:
    fields = {"X-Key": "secret", "X-A": 4711, "Connection": "secret", 7: "secret"}
    with pytest.raises(ValueError, match="X-A") as caught:
        declare(**{option: fields, "timeout": 5, "total_timeout": 4})
    message = str(caught.value)
    assert f"{option} has 'X-A' with a value that is not a text" in message
    assert f"{option} has Connection, which is for one connection" in message
    assert f"{option} has the name 7" in message
    assert "total_timeout is 4" in message
    with pytest.raises(ValueError, match=f"{option} is a list") as caught:
        declare(**{option: [("X-Key", "secret")]})
    assert "secret" not in message + str(caught.value)
    assert "4711" not in message


def test_every_mistake_is_in_one_error() -> None:
    with pytest.raises(ValueError, match="not a parameter of the path") as caught:
        declare(target="/{pat}", forward_token=True, timeout=5, total_timeout=4)
    message = str(caught.value)
    assert message.startswith("Proxy('/inventory/{path:path}'): ")
    assert "forward_token" in message
    assert "total_timeout" in message


def test_a_declaration_knows_its_place_also_when_it_is_made_by_a_function() -> None:
    here = Proxy("/a/{path:path}", to="a", requires=())
    assert here.file.endswith("tests/gateway/proxy/declaration/test_proxy.py")
    assert replace(here, to="b").methods == here.methods
    assert declare().line != here.line


def test_head_goes_with_get_and_any_method_is_the_default() -> None:
    assert declare(methods=["GET", "POST"]).methods == ("GET", "POST", "HEAD")
    assert str(declare(methods=["POST"])) == "POST /inventory/{path:path}"
    assert str(declare()) == "ANY /inventory/{path:path}"
    assert declare().methods == PROXIED_METHODS


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/inventory/{path:path}", "/{path}"),
        ("/users/{user}/inventory/{path:path}", "/{user}/inventory/{path}"),
        ("/files/v1-{name}.json", "/v1-{name}.json"),
        ("/{path:path}", "/{path}"),
    ],
)
def test_the_default_target_begins_with_the_first_parameter(path: str, target: str) -> None:
    assert declare(path=path).target_path == target
