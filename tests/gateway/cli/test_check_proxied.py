"""`lockgate check` finds the mistakes in proxied routes and in the settings of their services."""

import re
from pathlib import Path

import pytest

from gateway.cli.main import main
from tests.gateway.cli.wrong_configuration import Wrong

PROXIED = """
from acme.limits import PAGES
from gateway.proxy import Proxy
from gateway.ratelimit import RateLimit

routes = [
    Proxy("/a/{{path:path}}", to="{to}", {options}),
    Proxy("/users/{{path:path}}", to="users", requires=(), identity="none"),
]
"""


@pytest.mark.parametrize(
    ("to", "options", "error"),
    [
        ("orders", 'requires=(), identity="none"', "The configuration is valid: "),
        (
            "ordres",
            'public="a test"',
            (
                "upstreams.ordres.url: the service has no address, and ANY /a/{path:path} in "
                "acme/routes.py:7 calls it (did you mean orders? Otherwise set LOCKGATE_"
            ),
        ),
        (
            "stock",
            'public="a test"',
            (
                "upstreams.stock.url: the service has no address, and ANY /a/{path:path} in "
                "acme/routes.py:7 calls it (set "
            ),
        ),
        (
            "orders",
            "requires=()",
            "identity.signing_key_file: is required: the proxied route ANY /a/{path:path} sends",
        ),
        (
            "orders",
            'public="a test", limit=RateLimit("pages", "1/minute", per="address")',
            "ANY /a/{path:path}: its policy pages differs from that of the module limits (give ",
        ),
        (
            "orders",
            'public="a test", total_timeout=0.5',
            (
                "acme/routes.py:7: ANY /a/{path:path}: total_timeout is 0.5; it must not be below "
                "upstreams.orders.timeout, which is 2.0 ("
            ),
        ),
        (
            "orders",
            'requires=("a", "a"), timeout=-1',
            "acme/routes.py:7: Proxy('/a/{path:path}'): timeout is -1;",
        ),
    ],
)
def test_a_proxied_route_is_checked(
    folder: Path, capsys: pytest.CaptureFixture[str], to: str, options: str, error: str
) -> None:
    case = Wrong("", text=None, files={"routes.py": PROXIED.format(to=to, options=options)})
    case.write(folder)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in case.get_variables().items():
            patch.setenv(name, value)
        status = main(["check"])
    line, *off = capsys.readouterr().out.splitlines()
    assert line.startswith(error)
    assert len(off) == (status == 0)
    assert status == (0 if ", 2 proxied routes, " in line else 2)


def check_proxied(
    folder: Path, capsys: pytest.CaptureFixture[str], to: str, options: str, text: str
) -> list[str]:
    """Return what `lockgate check` prints about a proxied route and a file of settings."""
    files = {"routes.py": PROXIED.format(to=to, options=options)}
    case = Wrong("", text=text, files=files)
    case.write(folder)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in case.get_variables().items():
            patch.setenv(name, value)
        main(["check", *case.get_config_option()])
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(("to", "upstream"), [("stokc", "stock"), ("stock", "stokc")])
def test_a_route_and_an_upstream_that_differ_are_both_named(
    folder: Path, capsys: pytest.CaptureFixture[str], to: str, upstream: str
) -> None:
    text = f'[upstreams.{upstream}]\nurl = "http://stock"\n'
    variable = f"LOCKGATE_UPSTREAMS__{to.upper()}__URL"
    assert check_proxied(folder, capsys, to, 'public="a test"', text) == [
        (
            f"prod.toml:1: upstreams.{upstream}: no client and no proxied route uses this service "
            f"(did you mean {to}, which ANY /a/{{path:path}} in acme/routes.py:7 calls?)"
        ),
        (
            f"upstreams.{to}.url: the service has no address, and ANY /a/{{path:path}} in "
            f"acme/routes.py:7 calls it (did you mean {upstream}? Otherwise set {variable})"
        ),
    ]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('issuer = "gateway.test"\nsigning_key_file = "keys"', "identity.issuer: must be a URL"),
        ('issuer = "https://gateway.test"\nsigning_key = "keys"', "identity.signing_key: no such"),
        ('signing_key_file = "keys"', "identity.signing_key_file: needs issuer"),
    ],
)
def test_no_key_is_missed_while_its_section_has_another_error(
    folder: Path, capsys: pytest.CaptureFixture[str], text: str, error: str
) -> None:
    (line,) = check_proxied(folder, capsys, "orders", "requires=()", f"[identity]\n{text}\n")
    assert error in line


def test_a_route_that_the_gateway_has_itself_is_named_with_its_place(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    routes = PROXIED.format(to="orders", options='public="a test"').replace(
        "/a/{path:path}", "/auth/verify/{path:path}"
    )
    Wrong("", text=None, files={"routes.py": routes}).write(folder)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in Wrong("").get_variables().items():
            patch.setenv(name, value)
        patch.setenv("LOCKGATE_SERVER__FORWARD_AUTH", "true")
        patch.setenv("LOCKGATE_SERVER__TRUSTED_PROXIES", '["10.0.0.1"]')
        assert main(["check"]) == 2
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("ANY /auth/verify/{path:path}: is declared twice, in ")
    assert re.search(
        r"gateway/forward_auth/verify_request\.py:\d+ and acme/routes\.py:7 \(remove one", line
    )


@pytest.mark.parametrize(
    ("text", "errors"),
    [
        (
            "[counters]\nprocesses = 4\n",
            ["redis_url: is required: counters.processes is 4, and /a/{path:path} accepts ticket"],
        ),
        (
            'redis_url = "http://h"\n[counters]\nprocesses = 4\n',
            ["prod.toml:1: redis_url: "],
        ),
        (
            '[upstreams.stock]\nurl = "http://stock"\nretry = {attempts = 3}\n',
            ["prod.toml:3: upstreams.stock.retry: has no effect: it is for typed clients"],
        ),
    ],
)
def test_a_setting_that_tickets_need_or_that_has_no_effect(
    folder: Path, capsys: pytest.CaptureFixture[str], text: str, errors: list[str]
) -> None:
    to = "stock" if "stock" in text else "orders"
    options = 'requires=(), identity="none", tickets=True'
    lines = check_proxied(folder, capsys, to, options, text)
    assert len(lines) == len(errors)
    for line, error in zip(lines, errors, strict=True):
        assert line.startswith(error)


@pytest.mark.parametrize(
    ("file", "routes", "error"),
    [
        ("routes.py", "routes = ['chat']", "routes[0] is 'chat', which is not a Proxy(...)"),
        ("routes.py", "Routes = []", "there is no `routes = [Proxy(...), ...]`"),
        ("routes.py", "from gateway.proxy import Proxy\nroutes = []\nCHAT = {}", "not in the list"),
        ("routes.py", "from gateway.proxy import Proxy\nroutes = [{}]", "acme/routes.py:2: Proxy("),
        ("routes.py", "import nothing", "acme.routes: cannot be imported"),
        ("route.py", "routes = []", "acme.route: did you mean routes?"),
    ],
)
def test_no_upstream_is_unused_while_the_list_of_routes_has_an_error(
    folder: Path, capsys: pytest.CaptureFixture[str], file: str, routes: str, error: str
) -> None:
    access = ", timeout=-1" if "[{}]" in routes else ', public="a test"'
    text = routes.format(f'Proxy("/chat/{{path:path}}", to="chat"{access})')
    settings = '[upstreams.chat]\nurl = "http://chat"\n'
    case = Wrong("", text=settings, files={file: text})
    case.write(folder)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in case.get_variables().items():
            patch.setenv(name, value)
        assert main(["check", *case.get_config_option()]) == 2
    lines = capsys.readouterr().out.splitlines()
    assert error in lines[0]
    assert not [line for line in lines if "upstreams." in line]


def test_an_access_rule_is_checked_with_its_line(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rule = 'MayExchange("bff", services="{}", scopes="a", on_behalf_of="{}")'
    listed = [rule.format("order", "*"), rule.format("stock", "*")]
    listed += [rule.format("orders", "https://idp/"), rule.format("orders", "https://idp")]
    files = {
        "routes.py": PROXIED.format(to="orders", options='public="a test"'),
        "access.py": "from gateway.access import MayExchange\naccess = ["
        + ",\n".join(listed)
        + "]",
    }
    case = Wrong("", text=None, files=files)
    case.write(folder)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in case.get_variables().items():
            patch.setenv(name, value)
        assert main(["check"]) == 2
    lines = capsys.readouterr().out.splitlines()
    message = "which is not a service of the settings"
    assert [line.partition(" (")[0] for line in lines] == [
        f"acme/access.py:2: MayExchange('bff'): services has order, {message}",
        f"acme/access.py:3: MayExchange('bff'): services has stock, {message}",
        (
            "acme/access.py:4: MayExchange('bff'): on_behalf_of has https://idp/, which is not an "
            "issuer of the settings"
        ),
    ]
