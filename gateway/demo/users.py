"""The users service: `GET /users/{id}`."""

from functools import lru_cache

from starlette.requests import Request
from starlette.responses import Response

from gateway.demo.customers import get_customer
from gateway.demo.seeded_random import SeededRandom
from gateway.demo.timestamps import format_timestamp
from gateway.demo.user_id import parse_user_id
from gateway.fakes.json_service import create_json_service, encode_json, json_response

_PLANS = ("free",) * 6 + ("plus",) * 3 + ("pro",)  # weighted: most users are on the free plan
_MAIL_HOSTS = ("example.com", "example.net", "example.org")


async def _get_user(request: Request) -> Response:
    return json_response(_encode_user(parse_user_id(request.path_params["user_id"])))


@lru_cache(maxsize=4096)
def _encode_user(user_id: int) -> bytes:
    customer, rng = get_customer(user_id), SeededRandom("users", user_id)
    return encode_json(
        {
            "id": user_id,
            "email": f"{customer.mailbox}{rng.randint(10, 99)}@{rng.choice(_MAIL_HOSTS)}",
            "full_name": f"{customer.given_name} {customer.family_name}",
            "is_active": rng.chance(96),
            "plan": rng.choice(_PLANS),
            "created_at": format_timestamp(customer.account_age),
            "locale": customer.country.locale,
            "avatar_url": f"https://img.demo.invalid/people/{rng.randbelow(2**32):08x}.webp",
            "address": {
                "city": customer.city,
                "country": customer.country.code,
                "postcode": customer.postcode,
            },
            "loyalty_points": rng.randbelow(4_000),
        }
    )


app = create_json_service("/users/{user_id}", _get_user)
