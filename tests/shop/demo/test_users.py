"""The users have every plan, and most are active."""

from tests.shop.demo.in_process import get


async def test_every_plan_occurs_and_most_users_are_active() -> None:
    users = [(await get("users", f"/users/{user_id}")).json() for user_id in range(1, 200)]

    assert {user["plan"] for user in users} == {"free", "plus", "pro"}
    assert 150 < sum(user["is_active"] for user in users) < 199
