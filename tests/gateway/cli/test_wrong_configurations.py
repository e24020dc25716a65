"""Every wrong configuration is refused by `check` and `serve` with the same words."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.cli.main import main
from gateway.settings.errors import ConfigError
from gateway.settings.setting_path import list_keys
from tests.gateway.cli.wrong_configuration import (
    FILE,
    ISSUER,
    PAGE,
    VARIABLES,
    Wrong,
    read_cases,
)

CASES = read_cases()

MANY = Path(__file__).with_name("many_mistakes.txt")


def prepare(case: Wrong, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write the files and set the variables of a case."""
    case.write(folder)
    for name, value in case.get_variables().items():
        monkeypatch.setenv(name, value)


def list_served_cases() -> list[Wrong]:
    """List the first case of each table, and those with options of `serve`.

    For all others, the tests of `check` are enough: `serve` refuses what `check` finds.
    """
    first = {case.setting.partition(".")[0]: case for case in reversed(CASES)}
    return [case for case in CASES if case.options or case in first.values()]


@pytest.mark.parametrize(
    "case", [case for case in CASES if not case.options], ids=lambda case: case.setting
)
def test_check_names_the_mistake(
    case: Wrong,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    prepare(case, folder, monkeypatch)
    assert main(["check", *case.get_config_option()]) == 2
    lines = capsys.readouterr().out.splitlines()
    assert lines == (case.list_errors(folder) or lines[:1])
    assert case.part in lines[0]


@pytest.mark.parametrize("case", list_served_cases(), ids=lambda case: case.setting)
def test_serve_names_the_mistake_as_check_does(
    case: Wrong,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    prepare(case, folder, monkeypatch)
    assert main(["serve", *case.get_config_option(), *case.options]) == 2
    printed = capsys.readouterr()
    lines = printed.err.splitlines()
    assert lines == ([f"lockgate: {error}" for error in case.list_errors(folder)] or lines[:1])
    assert case.part in lines[0]
    assert printed.out == ""


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ("[server]".encode("utf-16"), "is UTF-16; save it as UTF-8"),
        ("[server]\n# gro\u00df\n".encode("latin-1"), "is not UTF-8 in line 2; save it as UTF-8"),
        (b"a = " + b"[" * 100_000, "is nested too deep"),
        (b"#" * 2_000_000, "is larger than 1048576 bytes"),
        (b"a = " + b"9" * 5_000, "is not TOML: "),
        (b"a = \x00", "is not TOML: "),
        (b"\r", "is not TOML: "),
    ],
)
def test_a_file_that_is_not_toml_is_refused(
    content: bytes,
    error: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    prepare(Wrong(""), folder, monkeypatch)
    (folder / FILE).write_bytes(content)
    assert main(["check", "--config", FILE]) == 2
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(("prod.toml: ", "prod.toml:1: "))
    assert error in line
    assert main(["serve", "--config", FILE]) == 2
    assert capsys.readouterr().err == f"lockgate: {line}\n"


def test_the_configuration_without_its_mistake_is_valid(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare(Wrong(""), folder, monkeypatch)
    assert main(["check", "--config", FILE]) == 0
    assert capsys.readouterr().out.splitlines()[0] == (
        "The configuration is valid: 6 routes, 1 composite, 2 services, 2 policies. "
        "The package is acme (app.package)."
    )
    assert main(["check", "--config", FILE, "--json"]) == 0
    assert capsys.readouterr().out == "[]\n"


def test_check_names_all_mistakes_in_one_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    issuers = [
        {**ISSUER, "jwks_url": "http://idp/keys", "user_claim": "sub"},
        {"issuer": "https://b", "audience": "", "jwks_file": "nowhere.json"},
        {"issuer": "https://c", "jwks_file": "no-keys.json", "user_claim": "", "nope": 1},
    ]
    case = Wrong(
        "",
        text="""
[serever]
[server]
port = "80"
trusted_proxies = ["10.0.0.1/8"]
[upstreams.orders]
timout = 1
forward_token = true
headers = {authorization = "hunter2"}
[upstreams.usrs]
url = "http://users"
[limits]
pages = "often"
""",
        variables={
            "LOCKGATE_ISSUERS": json.dumps(issuers),
            "LOCKGATE_SERVER__HOST": "192.0.2.1",
            "LOCKGATE_REDIS_URL": "redis://:hunter2@h/main",
            "LOCKGATE_UPSTREAMS__ORDERS__URL": "orders.internal:9102",
            "LOCKGATE_UPSTREAMS__ORDERS__FORWARD_HEADERS": "accept-language",
            "LOCKGATE_LIMITS__CHATZ": "1/second",
            "LOCKGATE_LOG__LEVEL": "loud",
        },
        files={
            "composites/page.py": PAGE.replace('requires("page:read"), owner("user_id"), ', ""),
            "lockgate.toml": "[tokens]\nmax_bytes = 0\n",
        },
    )
    prepare(case, folder, monkeypatch)
    assert main(["check", "--config", FILE]) == 2
    errors = capsys.readouterr().out.splitlines()
    assert errors == MANY.read_text(encoding="utf-8").replace("FOLDER", str(folder)).splitlines()
    assert main(["serve", "--config", FILE]) == 2
    assert capsys.readouterr().err.splitlines() == [f"lockgate: {error}" for error in errors]
    assert main(["check", "--config", FILE, "--json"]) == 2
    printed = json.loads(capsys.readouterr().out)
    assert [str(ConfigError(**error)) for error in printed] == errors
    assert printed[0] == {
        "path": "upstreams.orders.forward_headers",
        "message": "must be a list in JSON",
        "hint": 'such as ["accept-language"]',
        "source": "LOCKGATE_UPSTREAMS__ORDERS__FORWARD_HEADERS",
    }


def test_every_setting_has_a_case() -> None:
    settings = set(iter_settings())
    assert len(settings) > 45
    assert settings <= {case.setting for case in CASES}


def iter_settings(path: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield every setting of the schema, with * for the key of an entry."""
    if keys := list_keys(path):
        for key in keys:
            yield from iter_settings((*path, key))
    elif list_keys((*path, "*")):
        yield from iter_settings((*path, "*"))
    else:
        yield ".".join(path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
)


@given(setting=st.sampled_from(sorted(set(iter_settings()) - {"server.host"})), value=JSON)
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_json_in_a_variable_gives_a_traceback(
    setting: str,
    value: object,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    top, *inner = setting.split(".")
    for step in reversed(inner):
        value = {"orders" if step == "*" else step: value}
    if top == "issuers":
        value = [value["orders"]] if isinstance(value, dict) else value
    if not (folder / FILE).exists():
        Wrong("").write(folder)
    variables = {**VARIABLES, f"LOCKGATE_{top.upper()}": json.dumps(value)}
    with mock.patch.dict(os.environ, variables):
        status = main(["check", "--json"])
    errors = json.loads(capsys.readouterr().out)
    assert status == (2 if errors else 0)
    assert {error["path"].partition(".")[0] for error in errors} <= {top, "upstreams"}


@pytest.mark.parametrize("setting", ["server.port", "issuers.*.jwks_file", "file"])
def test_the_process_exits_without_a_traceback(setting: str, folder: Path) -> None:
    case = next(case for case in CASES if case.setting == setting)
    case.write(folder)
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(folder), **case.get_variables()}
    for command, prefix in (("check", ""), ("serve", "lockgate: ")):
        process = subprocess.run(
            [sys.executable, "-m", "gateway.cli", command, *case.get_config_option()],
            env=environment, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert process.returncode == 2
        printed = process.stdout + process.stderr
        assert printed.splitlines() == [prefix + error for error in case.list_errors(folder)]
