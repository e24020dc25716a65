"""Which origins the settings allow."""

import pytest

from gateway.middleware.cors_policy import CorsPolicy
from gateway.settings.schema import Server


@pytest.mark.parametrize(
    ("allowed", "origin", "is_allowed"),
    [
        ("https://a.example", "https://a.example", True),
        ("https://a.example", "HTTPS://A.Example", True),
        ("https://a.example", "https://a.example:443", True),
        ("https://A.example:443", "https://a.example", True),
        ("http://a.example:80", "http://a.example", True),
        ("https://a.example", "https://a.example:80", False),
        ("https://a.example", "http://a.example", False),
        ("https://a.example", "https://a.example.evil.com", False),
        ("https://a.example", "https://evil.com?https://a.example", False),
        ("https://a.example", "https://xa.example", False),
        ("https://a.example", "https://axexample", False),
        ("https://a.example", "https://a.example\n", False),
        ("https://a.example", "null", False),
        ("http://localhost:5173", "http://localhost:5173", True),
        ("http://localhost:5173", "http://localhost:51730", False),
        ("http://[::1]:5173", "http://[::1]:5173", True),
        ("https://*.example.com", "https://app.example.com", True),
        ("https://*.example.com", "https://a.b.example.com", True),
        ("https://*.example.com", "https://pr-12.example.com", True),
        ("https://*.example.com", "https://example.com", False),
        ("https://*.example.com", "https://.example.com", False),
        ("https://*.example.com", "https://evilexample.com", False),
        ("https://*.example.com", "https://app.example.com.evil.com", False),
        ("https://*.example.com", "https://evil.com/.example.com", False),
        ("https://*.example.com", "https://evil.com#.example.com", False),
        ("https://*.example.com", "https://user@x.example.com", False),
        ("https://*.example.com", "http://app.example.com", False),
        ("https://*.example.com", "https://app.example.com:8443", False),
        ("https://*.example.com:8443", "https://app.example.com:8443", True),
        ("https://*.example.com:443", "https://app.example.com", True),
        ("http://localhost:*", "http://localhost:5173", True),
        ("http://localhost:*", "http://localhost", True),
        ("http://localhost:*", "http://localhost:", False),
        ("http://localhost:*", "http://localhost:x", False),
        ("http://localhost:*", "https://localhost:5173", False),
        ("http://localhost:*", "http://localhost.evil.com", False),
        ("http://localhost:*", "http://localhost:1@evil.com", False),
        ("http://localhost:*", "http://x.localhost:5173", False),
        ("http://[::1]:*", "http://[::1]:5173", True),
        ("https://*.example.com:*", "https://a.b.example.com:8443", True),
        ("https://*.example.com:*", "https://example.com:8443", False),
        ("capacitor://localhost", "capacitor://localhost", True),
        ("chrome-extension://abcdefgh", "chrome-extension://abcdefgh", True),
        ("null", "null", True),
        ("null", "https://a.example", False),
        ("*", "https://a.example", True),
        ("*", "null", True),
    ],
)
def test_an_origin_is_allowed_if_the_settings_list_it(
    allowed: str, origin: str, is_allowed: bool
) -> None:
    policy = CorsPolicy(Server(cors_origins=(allowed,)))
    assert policy.allows(origin.encode("latin-1")) is is_allowed


def test_the_response_repeats_the_origin_as_it_was_sent() -> None:
    policy = CorsPolicy(Server(cors_origins=("https://a.example",)))
    fields = dict(policy.build_fields(b"https://A.example:443"))
    assert fields[b"access-control-allow-origin"] == b"https://A.example:443"
