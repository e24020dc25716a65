"""The users service: `GET /users/{id}`."""

from functools import lru_cache

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from gateway.demo.people import person
from gateway.demo.random_draws import Draw
from gateway.demo.service import answer, json_bytes, service, user_id
from gateway.demo.timestamps import ago

# Most pay nothing, few pay for everything.
_PLANS = ("free",) * 6 + ("plus",) * 3 + ("pro",)
_MAIL_HOSTS = ("example.com", "example.net", "example.org")


def users() -> ASGIApp:
    """The service."""
    return service("/users/{user_id}", _show)


async def _show(request: Request) -> Response:
    return answer(_profile(user_id(request.path_params["user_id"])))


@lru_cache(maxsize=4096)
def _profile(user: int) -> bytes:
    who, draw = person(user), Draw("users", user)
    return json_bytes(
        {
            "id": user,
            "email": f"{who.mailbox}{draw.between(10, 99)}@{draw.pick(_MAIL_HOSTS)}",
            "full_name": f"{who.given_name} {who.family_name}",
            "is_active": draw.chance(96),
            "plan": draw.pick(_PLANS),
            "created_at": ago(who.member_for),
            "locale": who.country.locale,
            "avatar_url": f"https://img.demo.invalid/people/{draw.below(2**32):08x}.webp",
            "address": {
                "city": who.city,
                "country": who.country.code,
                "postcode": who.postcode,
            },
            "loyalty_points": draw.below(4_000),
        }
    )
