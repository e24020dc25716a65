"""Settings: the file, the environment over it, and mistakes that say what would be right."""

import re
from pathlib import Path

import pytest

from gateway.settings.errors import InvalidSettings
from gateway.settings.loader import load_settings
from gateway.settings.rate import Rate
from gateway.settings.schema import Settings

TEMPLATE = Path(__file__).parents[3] / "config" / "lockgate.toml"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOCKGATE_CONFIG", raising=False)


def mistakes(file: Path | None = None) -> list[str]:
    with pytest.raises(InvalidSettings) as caught:
        load_settings(file)
    return [str(mistake) for mistake in caught.value.errors]


def write(folder: Path, text: str) -> Path:
    file = folder / "lockgate.toml"
    file.write_text(text)
    return file


def test_the_template_says_the_defaults() -> None:
    assert load_settings(TEMPLATE) == Settings(upstreams=load_settings().upstreams)


def test_the_template_names_every_setting() -> None:
    text = TEMPLATE.read_text()
    for name, field in Settings.model_fields.items():
        assert name in text
        for inner in getattr(field.annotation, "model_fields", {}):
            assert re.search(rf"\n(# )?{inner} = ", text)


def test_the_environment_wins_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path, '[upstreams.orders]\nurl = "http://orders.internal"\ntimeout = 3\n')
    monkeypatch.setenv("LOCKGATE_UPSTREAMS__ORDERS__TIMEOUT", "0.25")
    monkeypatch.setenv("LOCKGATE_LIMITS__DASHBOARDS", "240/minute")
    settings = load_settings(file)
    assert settings.upstreams["orders"].timeout == 0.25
    assert settings.upstreams["orders"].url.host == "orders.internal"
    assert settings.upstreams["users"].url.port == 9101
    assert settings.limits == {"dashboards": Rate(240, 60)}


def test_the_file_can_be_named_by_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCKGATE_CONFIG", str(write(tmp_path, "[demo]\nlatency_ms = 7\n")))
    assert load_settings().demo.latency_ms == 7


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[serever]\nport = 1\n", ["serever", "no such setting", "did you mean server?"]),
        ("[server]\nprot = 1\n", ["server.prot", "no such setting", "did you mean port?"]),
        ("[upstreams.users]\ntimout = 1\n", ["upstreams.users.timout", "did you mean timeout?"]),
        ("[server]\nport = 99999\n", ["server.port", "less than or equal to 65535", "got 99999"]),
        ('[limits]\ndashboards = "fast"\n', ["limits.dashboards", "120/minute"]),
        ('[upstreams.users]\nurl = "ftp://x"\n', ["upstreams.users.url", "http"]),
        ("demo = 3\n", ["demo", "valid dictionary"]),
        ("[demo\n", ["is not TOML"]),
        (
            '[[issuers]]\nissuer = "a"\naudience = "b"\n',
            ["issuers.0", "exactly one of jwks_url, discovery_url and jwks_file"],
        ),
        (
            (
                '[[issuers]]\nissuer = "a"\naudience = "x"\njwks_file = "k"\n'
                '[[issuers]]\nissuer = "b"\naudience = "x"\njwks_file = "k"\nuser_claim = ""\n'
                '[[issuers]]\nissuer = "c"\naudience = "x"\njwks_file = "k"\nuser_claim = "uid"\n'
            ),
            ["issuers [LOCKGATE_ISSUERS]", "a must say its user_claim"],
        ),
        (
            '[[issuers]]\nissuer = "a"\naudience = "b"\njwks_url = "http://idp.example/keys"\n',
            ["issuers.0.jwks_url", "https", "loopback"],
        ),
    ],
)
def test_a_mistake_in_the_file_says_where_and_what_would_be_right(
    tmp_path: Path, text: str, said: list[str]
) -> None:
    (mistake,) = mistakes(write(tmp_path, text))
    for part in said:
        assert part in mistake


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("LOCKGATE_REDIS_ULR", "redis://x", "did you mean redis_url?"),
        ("LOCKGATE_DEMO__LATENCYMS", "1", "did you mean latency_ms?"),
        ("LOCKGATE_ISSUERS", "not json", "issuers [LOCKGATE_ISSUERS]: is not JSON"),
        ("LOCKGATE_SERVER__PORT", "eighty", "server.port [LOCKGATE_SERVER__PORT]"),
    ],
)
def test_a_mistake_in_the_environment_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    monkeypatch.setenv(variable, value)
    (mistake,) = mistakes()
    assert said in mistake


def test_all_mistakes_are_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCKGATE_NOPE", "1")
    assert len(mistakes(write(tmp_path, "[server]\nport = -1\n[demo]\nlatency_ms = -1\n"))) == 3


def test_a_wrong_address_is_not_repeated_for_it_may_hold_a_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LOCKGATE_REDIS_URL", "reddis://user:hunter2@h")
    (mistake,) = mistakes()
    assert "hunter2" not in mistake


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    (mistake,) = mistakes(tmp_path / "nowhere.toml")
    assert "nowhere.toml" in mistake


def test_the_tree_is_frozen() -> None:
    with pytest.raises(Exception, match="frozen"):
        Settings().server.port = 1  # type: ignore[misc]
