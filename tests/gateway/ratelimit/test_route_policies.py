"""The policies of routes are known before the first request."""

from fastapi import FastAPI

from gateway.auth.dependencies import public
from gateway.fastapi_internals import iter_route_contexts
from gateway.ratelimit import RateLimit, limited
from gateway.ratelimit.route_policies import find_route_policies

PAGES = RateLimit("pages", "120/minute", per="address")
DAYS = RateLimit("days", "9/day", per="address")


def test_each_policy_of_a_route_is_found_once() -> None:
    app = FastAPI()
    app.get("/a", dependencies=[public("a page"), limited(PAGES, DAYS)])(lambda: None)
    app.get("/b", dependencies=[public("a page"), limited(PAGES)])(lambda: None)
    assert find_route_policies(iter_route_contexts(app.routes)) == {"pages": PAGES, "days": DAYS}
