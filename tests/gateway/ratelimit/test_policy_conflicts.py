"""Policies that share a name must be equal, because they share a count."""

from dataclasses import replace

import pytest
from fastapi import APIRouter

from gateway.app import create_app
from gateway.app_loader import Application
from gateway.auth import public, requires
from gateway.cli import check
from gateway.ratelimit import RateLimit, limited
from gateway.ratelimit.policy_conflicts import find_policy_conflicts
from gateway.settings.errors import InvalidSettings
from gateway.settings.schema import Settings

DECLARED = RateLimit("searches", "20/second", per="address")


def test_equal_policies_are_no_conflict() -> None:
    same = RateLimit("searches", "20/second", per="address")
    other = RateLimit("others", "1/second")
    uses = [("GET /a", [DECLARED]), ("GET /b", [same, other]), ("GET /c", [other])]
    assert find_policy_conflicts(uses, {"searches": DECLARED}) == []


@pytest.mark.parametrize(
    "options", [{"rate": "21/second"}, {"per": "user"}, {"shadow": True}, {"burst": 3}]
)
def test_any_other_value_is_a_conflict_with_the_first(options: dict[str, object]) -> None:
    rate, *_ = options.pop("rate", "20/second"), None
    different = RateLimit("searches", rate, **{"per": "address", **options})  # type: ignore[arg-type]
    uses = [("GET /a", [DECLARED]), ("GET /b", [different]), ("GET /b", [different])]
    for declared, place in (({}, "GET /a"), ({"searches": DECLARED}, "the module limits")):
        (error,) = find_policy_conflicts(uses, declared)
        assert str(error) == (
            f"GET /b: its policy searches differs from that of {place} "
            "(give each policy a name of its own)"
        )


def test_a_gateway_with_such_policies_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    router = APIRouter()

    @router.get("/a", dependencies=[public("a test"), limited(DECLARED)])
    async def a() -> None: ...

    @router.get("/b", dependencies=[requires("b"), limited(RateLimit("searches", "1/day"))])
    async def b() -> None: ...

    application = Application(routers=[router])
    with pytest.raises(InvalidSettings, match="GET /b: its policy searches differs") as raised:
        create_app(Settings(), application=application)
    monkeypatch.setattr(check, "read_application", lambda _: (replace(application), []))
    found = [error for error in check.check_settings(Settings()).errors if error.path == "GET /b"]
    assert found == raised.value.errors
